"""A task that swallows its cancellation is ended all the same."""

import asyncio

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
