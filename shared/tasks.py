"""Ending tasks."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any, Final

_AGAIN_S: Final = 0.25


async def end_tasks(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until all have ended; what they raise is dropped.

    They are cancelled again and again, because one cancellation can be lost: redis-py writes each command in
    `asyncio.wait_for`, and that of Python 3.11 swallows a cancellation that comes as the write ends. The task
    would go on for ever.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_AGAIN_S)
    for task in tasks:
        _drop_what_it_raised(task)


def _drop_what_it_raised(task: asyncio.Task[Any]) -> None:
    """Take it, so that nothing is said of errors that no one asked for, and so that the task lets go of it.

    A cancelled task keeps its `CancelledError`, and with the traceback all frames that it went through. Where
    one of them holds an `asyncio.Timeout`, which holds the task, that is a cycle. redis-py's frames do when a
    read is cancelled: the session that read, with its audio, would stay until Python looks for cycles among
    all its objects.
    """
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()
