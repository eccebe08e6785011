"""A task that swallows its cancellation is ended all the same, and nothing of an ended one stays."""

import asyncio
import gc
import weakref

from shared.tasks import end_tasks


def test_tasks_end_though_a_library_swallows_a_cancellation() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    async def failing() -> None:
        raise KeyError

    async def main() -> None:
        tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing())]
        await asyncio.sleep(0)
        await end_tasks(tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(main())
    assert swallowed == 3


def test_without_tasks_there_is_nothing_to_end() -> None:
    asyncio.run(end_tasks([]))


class _Held:
    """Something that a task works with."""


def test_an_ended_task_lets_go_of_what_it_had_without_the_collector() -> None:
    async def waiting(held: _Held) -> None:
        async with asyncio.timeout(60) as limit:  # it refers to the task, and the task to its frame
            await asyncio.sleep(60)
        raise AssertionError(held, limit)

    async def main() -> weakref.ref[_Held]:
        held = _Held()
        task = asyncio.create_task(waiting(held))
        await asyncio.sleep(0)
        await end_tasks([task])
        return weakref.ref(held)

    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()
