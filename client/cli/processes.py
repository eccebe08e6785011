"""`steno api`, `steno wyoming`, `steno worker`, `steno job-worker`: one process of the service each, in place
of this one, for containers and for running them by hand."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from client.cli import flags


def python(module: str) -> tuple[str, ...]:
    """The command that runs a module of Steno. `-P` keeps the working directory off the module path: a
    user's own directory may have a package called `api`."""
    return (sys.executable, "-P", "-m", module)


def api(
    host: flags.Host = None,
    port: flags.Port = None,
    redis_url: flags.CommonRedisUrl = None,
    data_dir: flags.DataDir = None,
) -> None:
    """Run one edge: sockets and HTTP in, Redis out."""
    _become("api", flags.as_environment(host=host, port=port, redis_url=redis_url, data_dir=data_dir))


def wyoming(
    host: flags.Host = None,
    port: Annotated[
        int | None, typer.Option(help="Port that Home Assistant connects to. [default: 10300]")
    ] = None,
    redis_url: flags.CommonRedisUrl = None,
) -> None:
    """Run one Wyoming server without an edge: TCP in, Redis out."""
    given = flags.as_environment(host=host, redis_url=redis_url)
    _become("api.wyoming", given | ({"STENO_WYOMING_PORT": str(port)} if port is not None else {}))


def worker(
    model: flags.Model = None,
    device: flags.Device = None,
    redis_url: flags.CommonRedisUrl = None,
    data_dir: flags.DataDir = None,
) -> None:
    """Run one device worker: it owns the model."""
    _become(
        "worker",
        flags.as_environment(model=model, device=device, redis_url=redis_url, data_dir=data_dir),
    )


def job_worker(
    redis_url: flags.CommonRedisUrl = None,
    data_dir: flags.DataDir = None,
    interactive: Annotated[bool, typer.Option("--interactive", help="Take interactive jobs only.")] = False,
) -> None:
    """Run one worker for file jobs: it cuts and assembles, and leaves decoding to the device workers."""
    environment = flags.as_environment(redis_url=redis_url, data_dir=data_dir)
    _become("worker.jobs", environment, *(("--interactive",) if interactive else ()))


def _become(module: str, environment: dict[str, str], *arguments: str) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, (*python(module), *arguments), environment)
