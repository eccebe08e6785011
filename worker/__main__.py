"""`python -m worker`: one device worker. The only place of the worker that reads settings and handles
signals."""

import os

# NumPy's BLAS helps the log-mel with threads that spin for a while after each call: a fifth of the worker's
# CPU time
# for a millisecond. The decodes are what shall run side by side. It is read when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import faulthandler
import logging
import signal
import sys
from typing import Final

from shared.errors import DeviceFault, StenoError
from shared.logs import configure
from shared.redis.connection import connect
from shared.settings import Settings, check_redis_is_given, load_settings
from shared.traces import check_traces, open_traces
from worker.app import WorkerApp
from worker.engine import silero
from worker.engine.api import Engine, check_engine
from worker.engine.drafted import DraftedEngine
from worker.health import Health, Vitals, serve_health
from worker.loading import load

log = logging.getLogger("worker")

_STALL_S_MAX: Final = 30.0
"""Longest that the event loop may stand still. Its sessions are elsewhere long before."""
_BROKEN_STATUS: Final = 70


def load_engine(settings: Settings) -> Engine:
    """Resolve the model and load it, warm. Raises `StenoError`."""
    engine = _make(settings, settings.model)
    if settings.draft_model:
        engine = DraftedEngine(engine, _make(settings, settings.draft_model))
    engine.prepare()
    silero.prepare()
    return engine


def _make(settings: Settings, model: str) -> Engine:
    return load(
        settings.engine,
        model,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=settings.threads,
        processes=settings.workers,
        batch_max=settings.batch_max,
    )


async def serve(settings: Settings, engine: Engine, health: Health) -> None:
    """Work until SIGTERM or SIGINT; a second one ends the wait for endpoints. Raises `DeviceFault`."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def asked_to_stop() -> None:
        health.drain()
        (hurry if stop.is_set() else stop).set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, asked_to_stop)

    def say_alive(vitals: Vitals) -> None:
        _say_alive()
        health.beat(vitals)

    client, traces = connect(settings.redis_url), open_traces(settings, "worker")
    try:
        app = WorkerApp(client, engine, settings, traces=traces, alive=say_alive)
        await app.run(stop, hurry)
    finally:
        await client.aclose()
        if traces is not None:
            await asyncio.to_thread(traces.close)


def _say_alive() -> None:
    """End the process, by a thread that needs no Python, when this is not called again in time: a decoder
    that hangs with the interpreter's lock can't be watched from inside. Its stack goes to the log."""
    faulthandler.dump_traceback_later(_STALL_S_MAX, exit=True)


def main() -> int:
    """Exit status 0 when asked to stop or to be started anew, 2 for what the operator can mend, 70 when the
    device is broken."""
    faulthandler.enable()  # a crash in native code says where
    try:
        settings = load_settings(
            check_redis_is_given, check_traces, lambda settings: check_engine(settings.engine)
        )
        configure(settings.log_level, as_json=settings.log_format == "json")
        health = Health()
        if settings.metrics_port:
            serve_health(health, settings.metrics_host, settings.metrics_port)
        engine = load_engine(settings)
        info = engine.info
        about = {"engine": info.name, "model": info.model, "device": info.device}
        log.info("engine ready", extra=about)
        asyncio.run(serve(settings, engine, health))
    except DeviceFault as fault:
        log.error("ending, to be replaced: %s", fault)
        logging.shutdown()
        os._exit(_BROKEN_STATUS)  # a thread that hangs would be waited for
    except StenoError as error:
        sys.stderr.write(f"steno worker: {error}\n")
        return 2
    finally:
        faulthandler.cancel_dump_traceback_later()
    return 0


if __name__ == "__main__":
    sys.exit(main())
