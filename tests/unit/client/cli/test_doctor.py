"""What `steno doctor` makes of what it finds."""

from client.cli.doctor import Probe, device_rows, microphone_row
from shared.settings import Settings

CPU = Probe({"version": "4", "cuda_count": 0, "types": {"cpu": ["float32", "int8"]}})
GPU = Probe({"version": "4", "cuda_count": 1, "types": {"cpu": ["int8"], "cuda": ["float16"]}})


def settings(**values: object) -> Settings:
    return Settings(**({"device": "auto", "compute_type": "auto"} | values))  # type: ignore[arg-type]


def statuses(**values: object) -> list[tuple[str, str]]:
    probe = values.pop("probe")
    assert isinstance(probe, Probe)
    return [(row.name, row.status) for row in device_rows(settings(**values), probe)]


def test_a_cpu_is_good_enough() -> None:
    assert statuses(probe=CPU) == [("device", "ok"), ("compute", "ok")]


def test_auto_takes_the_gpu_where_there_is_one() -> None:
    rows = list(device_rows(settings(), GPU))
    assert rows[0].detail.startswith("cuda")
    assert "float16" in rows[1].detail


def test_asking_for_cuda_without_a_device_fails_with_a_remedy() -> None:
    (row,) = device_rows(settings(device="cuda"), CPU)
    assert (row.status, "STENO_DEVICE" in row.remedy) == ("fail", True)


def test_a_compute_type_that_the_device_lacks_fails_and_names_those_it_has() -> None:
    rows = list(device_rows(settings(compute_type="float16"), CPU))
    assert rows[1].status == "fail"
    assert "float32, int8" in rows[1].remedy


def test_a_library_that_does_not_load_fails_with_its_reason() -> None:
    (row,) = device_rows(settings(), Probe(None, "ImportError: no libfoo"))
    assert (row.status, "no libfoo" in row.detail) == ("fail", True)


def test_a_missing_microphone_is_only_a_warning() -> None:
    assert microphone_row(Probe([])).status == "warn"
    assert microphone_row(Probe(None, "PortAudio not found")).status == "warn"
    assert microphone_row(Probe(["Built-in"])).status == "ok"
