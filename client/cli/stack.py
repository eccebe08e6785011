"""The whole service on this machine: Redis (embedded unless one is given), edge, job workers, device
workers. Shared by `steno up` and `steno demo`."""

import asyncio
import http.client
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from client.cli.preflight import check_data_dir, check_port, check_redis
from client.cli.processes import python
from client.cli.server import ServerKeeper
from client.cli.supervise import Spec, Supervisor
from shared.guard import Guard
from shared.redis.connection import jobs_address
from shared.secret_files import file_variable_of
from shared.settings import Settings, check_open
from shared.traces import check_traces

_READY_S_MAX: Final = 180.0
"""Longer than the largest model takes to load from a slow disk."""
_WORKER_STOP_S: Final = 10.0
"""Beside the time that it waits for endpoints."""
_GPUS: Final = "CUDA_VISIBLE_DEVICES"
"""The driver's own variable: numbers or names of devices, or of parts of them (MIG)."""


class Stack:
    """A running service. `address` is its base URL."""

    def __init__(self, address: str, supervisor: Supervisor, server: ServerKeeper | None) -> None:
        self.address = address
        self._supervisor = supervisor
        self._server = server

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        pids = self._supervisor.pids
        return pids if self._server is None else pids | {"embedded server": self._server.pid}

    async def watch_forever(self) -> None:
        """Raises `BrokerLost` when the embedded server died and can't be started again."""
        if self._server is not None:
            await self._server.watch_forever()
        await asyncio.Event().wait()


def check(settings: Settings) -> None:
    """Everything that can be known to be wrong before something starts. Raises the `StenoError` for it."""
    check_open(settings)
    check_traces(settings)
    check_port(settings.host, settings.port)
    if settings.wyoming_port:
        check_port(settings.host, settings.wyoming_port, setting="STENO_WYOMING_PORT")
    check_data_dir(settings.data_dir)
    if settings.redis_url:
        check_redis(settings.redis_url)
    if settings.jobs_redis_url:
        check_redis(settings.jobs_redis_url, variable="STENO_JOBS_REDIS_URL")
    if settings.workers and settings.engine == "faster_whisper":
        from shared.models import resolve

        resolve(settings.model)


@asynccontextmanager
async def running(settings: Settings, *, hurry: asyncio.Event | None = None) -> AsyncGenerator[Stack]:
    """Start all, wait until the service is ready, and on leaving stop all in order: edge, job workers,
    device workers, embedded server.

    Call `check` first. Raises `Unavailable` when a process does not stay up, `BrokerLost` when the
    embedded server does not start. Cancelling it at any point leaves no process; once `hurry` is set,
    children that stop slowly are killed.
    """
    async with AsyncExitStack() as stops:
        guard = Guard()
        stops.push_async_callback(asyncio.to_thread, guard.close)
        server: ServerKeeper | None = None
        if not settings.redis_url:
            server = ServerKeeper(settings.data_dir / "valkey", guard)
            stops.push_async_callback(server.stop)
            await server.start()
        url = server.url if server else settings.redis_url
        supervisor = Supervisor(_specs(settings, _environment(settings, url)), guard, hurry=hurry)
        stops.push_async_callback(supervisor.stop)
        await supervisor.start()
        await supervisor.ready(lambda: is_ready(settings), within_s=_READY_S_MAX)
        yield Stack(address(settings), supervisor, server)


def is_ready(settings: Settings) -> bool:
    """Whether the edge says that it can serve. Without workers of its own it has only to be alive: they
    run elsewhere."""
    connection = _connection(settings)
    try:
        connection.request("GET", "/readyz" if settings.workers else "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(settings: Settings) -> http.client.HTTPConnection:
    host = _reachable(settings.host)
    if not settings.has_tls:
        return http.client.HTTPConnection(host, settings.port, timeout=2.0)
    # This machine asks itself, by an address that need not be in the certificate.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, settings.port, timeout=2.0, context=context)


def _specs(settings: Settings, environment: Mapping[str, str]) -> list[Spec]:
    """The processes, in the order in which they stop."""
    numbers = range(1, settings.workers + 1)
    stop_s = settings.drain_s + _WORKER_STOP_S
    return [
        Spec(name="edge", command=python("api"), env=environment),
        *_job_specs(settings, environment),
        *(
            Spec(
                name=f"worker {n}",
                command=python("worker"),
                env=worker_environment(settings, environment, n),
                stop_s=stop_s,
            )
            for n in numbers
        ),
    ]


def _job_specs(settings: Settings, environment: Mapping[str, str]) -> list[Spec]:
    """Job workers, where jobs are kept at all: for all jobs, and one that short files don't wait for."""
    if not (settings.job_workers and jobs_address(settings.jobs_redis_url, environment["STENO_REDIS_URL"])):
        return []
    command = python("worker.jobs")
    return [
        *(
            Spec(name=f"job worker {n}", command=command, env=environment)
            for n in range(1, settings.job_workers + 1)
        ),
        Spec(name="interactive job worker", command=(*command, "--interactive"), env=environment),
    ]


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """The children read the same settings as this process, with its flags, and the server's address."""
    given = {
        "HOST": settings.host,
        "PORT": settings.port,
        "MODEL": settings.model,
        "DEVICE": settings.device,
        "WORKERS": settings.workers,
        "DATA_DIR": settings.data_dir,
        "REDIS_URL": redis_url,
    }
    # What a file named is given as a value now; both together would be an error.
    inherited = {k: v for k, v in os.environ.items() if k != file_variable_of("redis_url")}
    return inherited | {f"STENO_{name}": str(value) for name, value in given.items()}


def worker_environment(settings: Settings, environment: Mapping[str, str], number: int) -> dict[str, str]:
    """Workers of one machine, counted from 1, serve their metrics on ports one above the other, and have one
    of the GPUs that are named, in turn: a process would take the first of them all."""
    port = settings.metrics_port + number - 1 if settings.metrics_port else 0
    own = {"STENO_METRICS_PORT": str(port)}
    if devices := [name.strip() for name in environment.get(_GPUS, "").split(",") if name.strip()]:
        own[_GPUS] = devices[(number - 1) % len(devices)]
    return {**environment, **own}


def _reachable(host: str) -> str:
    """An address that reaches a server which listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def address(settings: Settings) -> str:
    """Base URL of the service that these settings start, as a client on this machine reaches it."""
    host = _reachable(settings.host)
    scheme = "https" if settings.has_tls else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"
