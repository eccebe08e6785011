"""The service as processes: what `steno up` starts, one by one, so that a test can end any of them."""

import asyncio
import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.guard import Guard
from shared.redis.connection import connect
from shared.redis.embedded import EmbeddedServer
from shared.redis.presence import Presence, WorkerPresence

READY_S_MAX = 120.0
_STOP_S_MAX = 20.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> dict[str, float]:
    """Every sample of a worker's metrics by its name and labels."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {name: float(value) for name, value in re.findall(r"^(steno_\S+) (\S+)$", text, re.MULTILINE)}


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
        return self.environment.get("STENO_REDIS_URL") or self.redis.url

    @classmethod
    @contextlib.contextmanager
    def running(
        cls,
        folder: Path,
        *,
        engine: str = "faster_whisper",
        model: str = "tiny.en",
        modules: tuple[str, ...] = ("api", "worker", "worker.jobs"),
        persistent: bool = False,
        redis_environment: Mapping[str, str] | None = None,
        **settings: str,
    ) -> "Generator[Service]":
        """Start all, wait until it is ready, stop all. `settings` are `STENO_` names in lower case.
        `persistent`: the server keeps its data when it is killed. `redis_environment` is the server's own."""
        server = EmbeddedServer(folder / "valkey" if persistent else None, environment=redis_environment)
        port = free_port()
        own = {"port": str(port), "engine": engine, "model": model, "data_dir": str(folder / "data")}
        own["origins"] = "http://page"
        environment = {f"STENO_{k.upper()}": v for k, v in (own | settings).items()}
        running = cls(port, server, environment, folder / "log")
        server.start()
        running.guard.add(server.pid or 0, last=True)
        try:
            for module in modules:
                running.start(module)
            if modules:
                running.wait_until_ready(worker="worker" in modules)
            yield running
        finally:
            running.stop()

    def start(
        self, module: str, *, name: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one process; `name` tells several of a kind apart, `environment` is its own."""
        own = {"STENO_REDIS_URL": self.redis_url} | dict(environment or {})
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                env=os.environ | self.environment | own,
                stdout=log,
                stderr=log,
            )
        self.processes[name or module] = process
        return process

    def start_edge(self, name: str) -> str:
        """Start another edge of the same service and wait until it answers. Returns its base address over
        HTTP."""
        port = free_port()
        self.start("api", name=name, environment={"STENO_PORT": str(port)})
        self.wait_until_ready(worker=False, port=port)
        return f"http://127.0.0.1:{port}"

    def wait_until_ready(self, *, worker: bool = True, port: int = 0) -> None:
        """Wait for `/readyz`, or `/healthz` when no worker was started; `port` is another edge's."""
        deadline = time.monotonic() + READY_S_MAX
        while not self._answers("/readyz" if worker else "/healthz", port or self.port):
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise AssertionError(f"service not ready, ended: {dead}\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def workers(self) -> list[WorkerPresence]:
        """The workers that say that they live."""

        async def ask() -> list[WorkerPresence]:
            client = connect(self.redis_url)
            try:
                return await Presence(client).workers()
            finally:
                await client.aclose()

        return asyncio.run(ask())

    def wait_until_workers(self, count: int, *, draining: int = 0) -> None:
        """Wait until so many workers say that they live, and so many of them that they drain."""
        deadline = time.monotonic() + READY_S_MAX
        while True:
            workers = self.workers()
            if len(workers) == count and sum(w.draining for w in workers) == draining:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"workers: {workers}\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def process_of(self, worker: str) -> str:
        """The name of the process that calls itself `worker` in Redis."""
        pid = int(worker.rsplit("-", 2)[-2])
        return next(name for name, process in self.processes.items() if process.pid == pid)

    def _answers(self, path: str, port: int) -> bool:
        if "STENO_TLS_CERT" in self.environment:
            context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
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
        """Kill the server and start it again, empty unless it is persistent."""
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
