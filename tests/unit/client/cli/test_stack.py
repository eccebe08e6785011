"""What `steno up` tells each of its workers."""

import pytest

from client.cli.stack import worker_environment
from shared.settings import Settings


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("0,1", ["0", "1", "0"]),
        ("GPU-1a, GPU-2b ,GPU-3c", ["GPU-1a", "GPU-2b", "GPU-3c"]),
        ("MIG-1a", ["MIG-1a"] * 3),
        ("", [""] * 3),
    ],
)
def test_workers_share_out_the_gpus_that_are_named(named: str, given: list[str]) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": named}
    found = [worker_environment(Settings(), environment, n)["CUDA_VISIBLE_DEVICES"] for n in (1, 2, 3)]
    assert found == given


def test_where_none_is_named_the_driver_decides() -> None:
    assert "CUDA_VISIBLE_DEVICES" not in worker_environment(Settings(), {"PATH": "/bin"}, 1)


def test_metrics_of_workers_are_on_ports_one_above_the_other() -> None:
    settings = Settings(metrics_port=9100)
    ports = [worker_environment(settings, {}, n)["STENO_METRICS_PORT"] for n in (1, 2)]
    assert ports == ["9100", "9101"]
    assert worker_environment(Settings(), {}, 2)["STENO_METRICS_PORT"] == "0"
