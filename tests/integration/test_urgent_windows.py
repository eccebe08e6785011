"""Windows of interactive jobs overtake those of other jobs at a device."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from shared.redis.connection import AsyncRedis, connect_sync
from shared.redis.keys import Keys
from shared.redis.windows import Window, WindowQueue, WindowSource
from shared.tasks import end_tasks
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.device import Device
from worker.file_windows import FileWindows

pytestmark = pytest.mark.anyio

KEYS = Keys(1)
BATCH, SHORT = "b" * 32, "5" * 32


class Engine:
    """Notes whose windows it decodes, told by their prompt; decodes nothing before it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.decoded: list[str] = []

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(name="e", model="m", device="cpu", compute_type="none", languages=("en",))

    def prepare(self) -> None: ...

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        self.decoded += [request.prompt for request in batch]
        assert self.may_go_on.wait(60)
        return [DecodeResult(text="x", language="en") for _ in batch]

    def close(self) -> None: ...


def put(queue: WindowQueue, job: str, numbers: range) -> None:
    for number in numbers:
        pcm16 = np.zeros(1600, np.int16).tobytes()
        queue.put(
            Window(
                job=job,
                number=number,
                pcm16=pcm16,
                language="en",
                task="transcribe",
                prompt=f"{job[0]}{number}",
            )
        )


async def test_an_interactive_window_is_decoded_before_those_that_waited_longer(
    redis: AsyncRedis, redis_url: str
) -> None:
    client = connect_sync(redis_url)
    batch, short = WindowQueue(client, KEYS, BATCH), WindowQueue(client, KEYS, SHORT, urgent=True)
    put(batch, BATCH, range(6))
    engine = Engine()
    device = Device(engine)
    files = FileWindows(WindowSource(redis, KEYS, consumer="w"), device)
    takers = [asyncio.create_task(files.take_forever(0, urgent=urgent)) for urgent in (True, False)]
    async with asyncio.timeout(60):
        while not engine.decoded:  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
        put(short, SHORT, range(1))
        while not await redis.xpending_range("steno:{00}:urgent", "workers", "-", "+", 1):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        engine.may_go_on.set()
        while len(batch.results()) + len(short.results()) < 7:  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.01)
    await end_tasks(takers)
    await device.close()
    batch.clear()
    short.clear()
    client.close()
    assert [name for name in engine.decoded if name[0] == "b"] == [f"b{number}" for number in range(6)]
    # At most one window more may have been on its way to the device when this one came.
    assert engine.decoded.index("50") <= 2
