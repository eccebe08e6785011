"""What a worker answers over HTTP, from its start to its end."""

import http.client
import json
import socket
from collections.abc import Generator
from functools import partial

import pytest

from shared.errors import BadParameter
from worker import metrics
from worker.health import SILENT_S_MAX, Health, serve_health


class Clock:
    """Time that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock=clock)


@pytest.fixture
def port(health: Health) -> Generator[int]:
    server = serve_health(health, "127.0.0.1", 0)
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_worker_is_ready_from_its_first_sign_until_it_drains(
    health: Health, clock: Clock, port: int
) -> None:
    said = []
    beat = partial(health.beat, {})
    for step in (lambda: None, beat, lambda: setattr(clock, "now_s", 101 + SILENT_S_MAX), beat,
                 health.drain, beat):  # fmt: skip
        step()
        status, body = ask(port, "/readyz")
        said.append((status, json.loads(body)["status"]))
        assert ask(port, "/healthz")[0] == 200
    assert said == [(503, "loading"), (200, "ready"), (503, "stalled"), (200, "ready"), (503, "draining"),
                    (503, "draining")]  # fmt: skip


def test_readiness_says_the_latest_figures(health: Health, port: int) -> None:
    health.beat({"decoded_s_ago": 1.5, "canary_share": None})
    health.beat({"decoded_s_ago": 0.5, "canary_share": 1.0})
    assert json.loads(ask(port, "/readyz")[1]) == {
        "status": "ready", "decoded_s_ago": 0.5, "canary_share": 1.0,
    }  # fmt: skip
    assert json.loads(ask(port, "/healthz")[1]) == {"status": "ready"}


def test_metrics_are_there_from_the_start_and_nothing_else_is(port: int) -> None:
    status, body = ask(port, "/metrics?x=1")
    assert status == 200
    assert metrics.SESSIONS.describe()[0].name in body
    assert ask(port, "/")[0] == 404
    assert ask(port, "/../etc/passwd")[0] == 404


def test_a_port_that_is_taken_is_named(health: Health) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadParameter, match="STENO_METRICS_PORT"):
            serve_health(health, "127.0.0.1", taken.getsockname()[1])
