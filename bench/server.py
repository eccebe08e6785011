"""The service under measurement: `steno up` as a child process, on a free port, with nothing kept."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.redis.embedded import EmbeddedServer

READY_S_MAX = 600.0
"""A first start downloads the model."""
STOP_S_MAX = 30.0
_POLL_S = 0.02


class ServerFailed(RuntimeError):
    """The service did not start or did not stop; the message has the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running service. `ready_s` is the time from its start to the first 200 of /readyz."""

    pid: int
    address: str
    ready_s: float

    @property
    def stream_url(self) -> str:
        """Where live sessions connect."""
        return f"ws://{self.address}/v1/stream"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def running(
    *, settings: Mapping[str, str], data_dir: Path | None = None, log: Path | None = None
) -> Generator[Server]:
    """Start the service and wait until it is ready; stop it at the end. `settings` are `STENO_*` variables
    without the prefix; what it prints goes to `log`. Raises `ServerFailed`."""
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as scratch:
        port = free_port()
        env = {f"STENO_{name.upper()}": value for name, value in settings.items()}
        env |= {"STENO_HOST": "127.0.0.1", "STENO_PORT": str(port)}
        env["STENO_DATA_DIR"] = str(data_dir or Path(scratch) / "data")
        log = log or Path(scratch) / "log"
        with log.open("wb") as out:
            started_s = time.perf_counter()
            command = [str(Path(sys.executable).with_name("steno")), "up"]
            process = subprocess.Popen(command, env=os.environ | env, stdout=out, stderr=subprocess.STDOUT)
        try:
            address = f"127.0.0.1:{port}"
            _wait_ready(process, address, log)
            ready_s = time.perf_counter() - started_s
            yield Server(pid=process.pid, address=address, ready_s=ready_s)
        finally:
            _stop(process)


@contextmanager
def running_on_own_redis(*, settings: Mapping[str, str]) -> Generator[tuple[Server, EmbeddedServer]]:
    """The same with a Redis of the caller's, which it may kill and look into. Raises `ServerFailed`."""
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as scratch:
        redis = EmbeddedServer(Path(scratch) / "valkey")
        redis.start()
        try:
            settings = {**settings, "redis_url": redis.url}
            with running(settings=settings, log=Path(scratch) / "log") as service:
                yield service, redis
        finally:
            redis.stop()


def processes(root: int) -> dict[str, psutil.Process]:
    """The service's processes by what they run, numbered where there are several."""
    found: dict[str, psutil.Process] = {}
    for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
        try:
            line = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        kind = line[line.index("-m") + 1] if "-m" in line[:-1] else process.name()
        number = sum(name.split(" ")[0] == kind for name in found)
        found[f"{kind} {number}" if number else kind] = process
    return found


def workers(root: int) -> list[psutil.Process]:
    """Its workers."""
    return [process for name, process in processes(root).items() if name.split(" ")[0] == "worker"]


def _wait_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline_s = time.perf_counter() + READY_S_MAX
    while time.perf_counter() < deadline_s:
        if process.poll() is not None:
            raise ServerFailed(f"steno up ended with {process.returncode}:\n{_tail(log)}")
        if _is_ready(address):
            return
        time.sleep(_POLL_S)
    raise ServerFailed(f"steno up was not ready within {READY_S_MAX:.0f} s:\n{_tail(log)}")


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it as Ctrl-C would; a service that does not obey is killed, and its guard ends its children."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise ServerFailed(f"steno up did not stop within {STOP_S_MAX:.0f} s; it was killed") from None


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
