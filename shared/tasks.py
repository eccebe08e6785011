"""Ending tasks."""

import asyncio
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
    await asyncio.gather(*tasks, return_exceptions=True)  # so that nothing is said of errors no one asked for
