"""Tasks end, also those that lose a cancellation."""

import asyncio

import pytest

from worker.tasks import cancel

pytestmark = pytest.mark.anyio


async def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await cancel([task])
    assert task.cancelled()


async def test_tasks_that_have_ended_are_no_matter() -> None:
    async def broken() -> None:
        raise ValueError

    task = asyncio.create_task(broken())
    await asyncio.wait([task])
    await cancel([task])
    assert isinstance(task.exception(), ValueError)
    await cancel([])
