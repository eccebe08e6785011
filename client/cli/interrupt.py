"""Ctrl-C and SIGTERM for commands that run until they are stopped."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> bool:
    """Run `main(hurry)`. SIGINT, SIGTERM or SIGHUP cancels it, so that it can stop in order; a second one
    sets `hurry`, to say that it must be quick.

    Returns True when it was stopped, False when it came to its own end.
    """
    return asyncio.run(_run(main))


def raise_on_terminate() -> None:
    """Make SIGTERM end this process as Ctrl-C does, with its `finally` blocks. For the time before
    `run_until_stopped`, when children may be running too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


async def _run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> bool:
    loop = asyncio.get_running_loop()
    stopped, hurry = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(main(hurry))

    def stop() -> None:
        if stopped.is_set():
            hurry.set()
        else:
            stopped.set()
            task.cancel()

    for number in _STOPS:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
    finally:
        for number in _STOPS:
            loop.remove_signal_handler(number)
    return stopped.is_set()
