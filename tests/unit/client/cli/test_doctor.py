"""What `steno doctor` makes of what it finds."""

import resource
import socket
from pathlib import Path

from client.cli.doctor import Probe, device_rows, microphone_row
from client.cli.findings import files_row, port_rows, redis_rows, tls_rows
from shared.redis.connection import connect_sync
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


def test_a_key_that_others_can_read_is_said(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.touch()
    key.touch(mode=0o600)
    settings = Settings(tls_cert=cert, tls_key=key)
    assert [row.status for row in tls_rows(settings)] == ["ok"]
    key.chmod(0o644)
    (row,) = tls_rows(settings)
    assert (row.status, "chmod 600" in row.remedy) == ("warn", True)
    key.unlink()
    (row,) = tls_rows(settings)
    assert (row.status, "STENO_TLS_KEY" in row.remedy) == ("fail", True)
    assert list(tls_rows(Settings())) == []


def test_too_few_files_for_the_sessions_are_said() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert files_row(Settings(worker_sessions=1)).status == "ok"
    if soft < 4096 * 64:
        row = files_row(Settings(worker_sessions=4096, workers=64))
        assert (row.status, "ulimit -n" in row.remedy) == ("warn", True)


def test_a_taken_port_of_another_kind_is_a_fault_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        rows = {row.name: row for row in port_rows(Settings(wyoming_port=port, metrics_port=port))}
    assert rows["wyoming"].status == rows["metrics"].status == "fail"
    assert "STENO_WYOMING_PORT" in rows["wyoming"].remedy
    assert "STENO_METRICS_PORT" in rows["metrics"].remedy


def test_a_redis_that_throws_keys_away_is_said(redis_url: str) -> None:
    assert [row.status for row in redis_rows(Settings(redis_url=redis_url))] == ["ok"]
    client = connect_sync(redis_url)
    try:
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        rows = list(redis_rows(Settings(redis_url=redis_url)))
    finally:
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
        client.close()
    assert [row.status for row in rows] == ["ok", "warn"]
    assert "noeviction" in rows[1].remedy
