"""The service as processes: what `steno up` starts, one by one, so that a test can end any of them."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from shared.guard import Guard
from shared.redis.embedded import EmbeddedServer

READY_S_MAX = 120.0
_STOP_S_MAX = 20.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """A running service of a test. `process(name)` gives `api`, `worker`, or `worker.jobs`."""

    port: int
    redis: EmbeddedServer
    environment: dict[str, str]
    log: Path
    guard: Guard = field(default_factory=Guard)
    """Ends all of it when the test run itself is killed."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])

    @property
    def url(self) -> str:
        """Base address over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Base address over WebSocket."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def redis_url(self) -> str:
        """Address of the service's Redis."""
        return self.redis.url

    @classmethod
    @contextlib.contextmanager
    def running(
        cls,
        folder: Path,
        *,
        engine: str = "faster_whisper",
        model: str = "tiny.en",
        modules: tuple[str, ...] = ("api", "worker", "worker.jobs"),
        **settings: str,
    ) -> "Generator[Service]":
        """Start all, wait until it is ready, stop all. `settings` are `STENO_` names in lower case."""
        server = EmbeddedServer()
        port = free_port()
        own = {"port": str(port), "engine": engine, "model": model, "data_dir": str(folder / "data")}
        environment = {f"STENO_{k.upper()}": v for k, v in (own | settings).items()}
        running = cls(port, server, environment, folder / "log")
        server.start()
        running.guard.add(server.pid or 0, last=True)
        try:
            for module in modules:
                running.start(module)
            running.wait_until_ready(worker="worker" in modules)
            yield running
        finally:
            running.stop()

    def start(self, module: str, *, name: str = "") -> subprocess.Popen[bytes]:
        """Start one process; `name` tells several of a kind apart."""
        environment = os.environ | self.environment | {"STENO_REDIS_URL": self.redis.url}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=environment, stdout=log, stderr=log
            )
        self.processes[name or module] = process
        return process

    def start_edge(self, name: str) -> str:
        """Start another edge of the same service and wait until it answers. Returns its base address over
        HTTP."""
        port = free_port()
        environment, self.environment = self.environment, self.environment | {"STENO_PORT": str(port)}
        try:
            self.start("api", name=name)
        finally:
            self.environment = environment
        deadline = time.monotonic() + READY_S_MAX
        while not self._answers("/healthz", port):
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}"

    def wait_until_ready(self, *, worker: bool = True) -> None:
        """Wait for `/readyz`, or `/healthz` when no worker was started."""
        deadline = time.monotonic() + READY_S_MAX
        while not self._answers("/readyz" if worker else "/healthz"):
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise AssertionError(f"service not ready, ended: {dead}\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def _answers(self, path: str, port: int = 0) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def end(self, name: str, signum: signal.Signals) -> int:
        """Send a signal to one process and wait for its end. Returns its status."""
        process = self.processes.pop(name)
        process.send_signal(signum)
        return process.wait(_STOP_S_MAX)

    def restart_redis(self) -> None:
        """Kill the server and start it again, empty."""
        self.redis.kill()
        self.redis.restart()
        self.guard.add(self.redis.pid or 0, last=True)

    def stop(self) -> None:
        """Stop everything in order; each process must end with status 0."""
        try:
            statuses = {name: _stop(process) for name, process in self.processes.items()}
        finally:
            self.redis.stop()
            self.guard.close()
        assert not any(statuses.values()), f"exit statuses {statuses}\n{self.log.read_text()[-4000:]}"


def _stop(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(_STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return -1
