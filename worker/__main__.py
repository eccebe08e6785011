"""`python -m worker`: one device worker. The only place of the worker that reads settings and handles
signals."""

import os

# NumPy's BLAS helps the log-mel with threads that spin for a while after each call: a fifth of the worker's
# CPU time
# for a millisecond. The decodes are what shall run side by side. It is read when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import logging
import signal
import sys

from prometheus_client import start_http_server

from shared.errors import BadParameter, StenoError
from shared.logs import configure
from shared.models import resolve
from shared.redis.connection import connect
from shared.settings import Settings, load_settings
from worker.app import WorkerApp
from worker.engine import silero
from worker.engine.api import WITHOUT_WEIGHTS, Engine, EngineOptions, check_engine, make_engine

log = logging.getLogger("worker")


def load_engine(settings: Settings) -> Engine:
    """Resolve the model and load it, warm. Raises `StenoError`."""
    check_engine(settings.engine)
    path, multilingual = None, True
    if settings.engine not in WITHOUT_WEIGHTS:
        files = resolve(settings.model)
        path, multilingual = files.path, files.multilingual
    threads = settings.threads or _threads(settings)
    options = EngineOptions(
        model=settings.model,
        path=path,
        multilingual=multilingual,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=threads,
    )
    engine = make_engine(settings.engine, options)
    engine.prepare()
    silero.prepare()
    return engine


def _threads(settings: Settings) -> int:
    """Decodes at once: the cores of this machine, shared between its workers. On CUDA one call fills the
    device."""
    if settings.device == "cuda":
        return 1
    return max(1, (os.cpu_count() or 1) // max(1, settings.workers))


def serve_metrics(settings: Settings) -> None:
    """Serve `/metrics` from a thread, if a port is set. Raises `BadParameter` when it is taken."""
    if not settings.metrics_port:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise BadParameter(f"STENO_METRICS_PORT: {where} can't be listened on: {error.strerror}") from None


async def serve(settings: Settings, engine: Engine) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    client = connect(settings.redis_url)
    try:
        await WorkerApp(client, engine, settings).run(stop)
    finally:
        await client.aclose()


def main() -> int:
    """Exit status 2 for what the operator can mend."""
    try:
        settings = load_settings()
        configure(settings.log_level)
        serve_metrics(settings)
        engine = load_engine(settings)
        log.info("engine ready", extra={"model": engine.info.model, "device": engine.info.device})
        asyncio.run(serve(settings, engine))
    except StenoError as error:
        sys.stderr.write(f"steno worker: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
