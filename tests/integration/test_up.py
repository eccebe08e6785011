"""`steno up`: the whole service from one command, and no process left of it, however it ends."""

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from shared.guard import end_families, family
from shared.redis.connection import connect_sync
from tests.support.service import free_port

STENO = Path(sys.executable).with_name("steno")
END_S_MAX = 60.0
MODULES = {"api", "worker", "worker.jobs", "worker.jobs --interactive"}


def wait_until(condition: Callable[[], bool], description: str) -> None:
    deadline = time.monotonic() + END_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"never: {description}"
        time.sleep(0.05)


@dataclass
class Up:
    """A `steno up` of a test, and what it printed."""

    process: subprocess.Popen[str]
    port: int
    lines: "queue.Queue[str]" = field(default_factory=queue.Queue)
    leaders: set[int] = field(default_factory=set)

    def expect(self, words: str) -> str:
        """The next line on stdout, which must have these words."""
        line = self.lines.get(timeout=END_S_MAX)
        assert words in line, line
        return line

    def children(self) -> dict[str, int]:
        """Process ids by module, `valkey-server` or `shared.guard`."""
        found: dict[str, int] = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                words = child.cmdline() or [child.name()]
                found[" ".join(words[3:]) if "-m" in words else "valkey-server"] = child.pid
        self.leaders |= set(found.values())
        return found

    def answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def left(self) -> list[int]:
        """Every process that it ever started and that still runs."""
        return [pid for leader in self.leaders for pid in family(leader)]


@contextlib.contextmanager
def up(data_dir: Path, *words: str, **settings: str) -> Generator[Up]:
    """Run it with the scripted engine; afterwards nothing may be left."""
    port = free_port()
    given = {
        "engine": "scripted",
        "port": str(port),
        "data_dir": str(data_dir),
        "job_workers": "1",
    } | settings
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STENO_", "STT_"))}
    process = subprocess.Popen(
        [str(STENO), "up", *words],
        env=clean | {f"STENO_{name.upper()}": value for name, value in given.items()},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    service = Up(process, port)
    reader = threading.Thread(target=_read, args=(service,))
    reader.start()
    try:
        yield service
        wait_until(lambda: process.poll() is not None, "the command ended")
        wait_until(lambda: not service.left(), "all it started ended")
    finally:
        end_families([process.pid, *service.leaders], grace_s=0)
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def _read(service: Up) -> None:
    assert service.process.stdout is not None
    for line in service.process.stdout:
        service.lines.put(line)
    service.lines.put("")


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_it_serves_until_a_signal_stops_all_in_order(tmp_path: Path, number: signal.Signals) -> None:
    wyoming_port = free_port()
    with up(tmp_path / "data", wyoming_port=str(wyoming_port)) as service:
        assert f"http://127.0.0.1:{service.port} " in service.expect("Steno is ready on")
        assert service.answers("/readyz")
        with socket.create_connection(("127.0.0.1", wyoming_port), END_S_MAX) as client:
            client.sendall(b'{"type":"describe"}\n')
            assert b'"info"' in client.makefile("rb").readline()
        assert set(service.children()) == MODULES | {"valkey-server", "shared.guard"}
        service.process.send_signal(number)
        assert service.process.wait(END_S_MAX) == 0
        assert service.left() == []


def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    with up(tmp_path / "data") as service:
        service.expect("Steno is ready on")
        service.children()
        service.process.kill()


def test_every_process_that_is_killed_comes_back(tmp_path: Path) -> None:
    with up(tmp_path / "data") as service:
        service.expect("Steno is ready on")
        first = service.children()
        del first["shared.guard"]
        for pid in first.values():
            os.kill(pid, signal.SIGKILL)

        def all_new() -> bool:
            now = service.children()
            return all(name in now and now[name] != pid for name, pid in first.items())

        wait_until(all_new, "each was started again")
        wait_until(lambda: service.answers("/readyz"), "ready again")
        service.process.terminate()
        assert service.process.wait(END_S_MAX) == 0


def test_a_signal_while_it_starts_stops_it_too(tmp_path: Path) -> None:
    with up(tmp_path / "data") as service:
        wait_until(lambda: MODULES & set(service.children()) != set(), "something was started")
        service.process.terminate()
        assert service.process.wait(END_S_MAX) == 0
        assert service.lines.get(timeout=END_S_MAX) == "", "never said that it was ready"


def test_a_given_redis_is_used_and_left_running(tmp_path: Path, redis_url: str) -> None:
    with up(tmp_path / "data", redis_url=redis_url) as service:
        service.expect("Steno is ready on")
        assert set(service.children()) == MODULES | {"shared.guard"}
        with contextlib.closing(connect_sync(redis_url)) as client:
            assert client.exists("steno:workers")
            service.process.terminate()
            assert service.process.wait(END_S_MAX) == 0
            assert client.ping()


@pytest.mark.slow
def test_as_many_workers_as_asked_for(tmp_path: Path) -> None:
    with up(tmp_path / "data", "--json", workers="2", job_workers="2") as service:
        ready = json.loads(service.expect('"pids"'))
        assert (ready["url"], ready["workers"]) == (f"http://127.0.0.1:{service.port}", 2)
        running = psutil.Process(service.process.pid).children()
        assert set(ready["pids"].values()) <= {child.pid for child in running}
        commands = [child.cmdline()[3:] for child in running]
        assert commands.count(["worker"]) == commands.count(["worker.jobs"]) == 2
        assert commands.count(["worker.jobs", "--interactive"]) == 1
        service.children()
        service.leaders |= {child.pid for child in running}
        service.process.terminate()
        assert service.process.wait(END_S_MAX) == 0


def test_a_process_that_can_t_start_ends_it_all_with_an_error(tmp_path: Path) -> None:
    with up(tmp_path / "data", engine="nonsense") as service:
        service.children()
        assert service.process.wait(END_S_MAX) == 2


def test_a_second_one_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with up(tmp_path / "data") as first:
        first.expect("Steno is ready on")
        first.children()
        with up(tmp_path / "data") as second:
            assert second.process.wait(END_S_MAX) == 2
        assert first.answers("/readyz")
        first.process.terminate()
