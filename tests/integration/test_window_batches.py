"""Windows of files at one worker: decoded together, given up when cancelled, tried again when they fail."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from shared.errors import EngineFault
from shared.jobs import JobOptions
from shared.redis.connection import AsyncRedis, connect_sync
from shared.redis.keys import Keys
from shared.redis.windows import (
    ATTEMPTS_MAX,
    WINDOW_LEASE_MS,
    Window,
    WindowQueue,
    WindowSource,
)
from shared.tasks import end_tasks
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.device import Device
from worker.file_windows import FileWindows
from worker.jobs.cutter import Stretch
from worker.jobs.splitter import Splitter
from worker.jobs.transcriber import Stopping, Transcriber

pytestmark = pytest.mark.anyio

KEYS = Keys(1)
STREAM = "steno:{00}:windows"
JOB = "7" * 32
BATCH = 4


@dataclass
class Engine:
    """Says of each window its prompt; one whose prompt is `bad` it can't decode. Waits where it must."""

    may_go_on: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list[list[str]])

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name="e", model="m", device="cpu", compute_type="none", languages=("en",), batch_max=BATCH
        )

    def prepare(self) -> None: ...

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        self.batches.append([request.prompt for request in batch])
        assert self.may_go_on.wait(60)
        if any(request.prompt == "bad" for request in batch):
            raise EngineFault("it is bad")
        return [DecodeResult(text=request.prompt, language="en") for request in batch]

    def close(self) -> None: ...


def window(number: int, prompt: str = "") -> Window:
    pcm16 = np.zeros(1600, np.int16).tobytes()
    prompt = prompt or f"w{number}"
    return Window(job=JOB, number=number, pcm16=pcm16, language="en", task="transcribe", prompt=prompt)


@pytest.fixture
def queue(redis_url: str, redis: AsyncRedis) -> Iterator[WindowQueue]:
    client = connect_sync(redis_url)
    made = WindowQueue(client, KEYS, JOB)
    yield made
    made.clear()
    client.delete(KEYS.job(JOB).cancel)
    client.close()


@contextlib.asynccontextmanager
async def working(redis: AsyncRedis, engine: Engine) -> AsyncGenerator[None]:
    """A worker's windows in this loop."""
    device = Device(engine)
    files = FileWindows(WindowSource(redis, KEYS, consumer="w"), device)
    tasks = [asyncio.create_task(files.take_forever(0)), asyncio.create_task(files.look_after_forever())]
    try:
        yield
    finally:
        engine.may_go_on.set()
        await end_tasks(tasks)
        await files.hand_over()
        await device.close()


async def until_settled(redis: AsyncRedis) -> None:
    async with asyncio.timeout(60):
        while await redis.xlen(STREAM):  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.01)


async def test_windows_are_taken_as_many_as_fit_and_decoded_together(
    redis: AsyncRedis, queue: WindowQueue
) -> None:
    engine = Engine()
    for number in range(9):
        queue.put(window(number))
    assert queue.backlog().unclaimed == 9
    async with working(redis, engine):
        async with asyncio.timeout(60):
            while queue.backlog().unclaimed > 9 - BATCH:  # noqa: ASYNC110 - another task
                await asyncio.sleep(0.01)
        assert queue.backlog().unclaimed == 9 - BATCH  # the rest is for other workers
        engine.may_go_on.set()
        await until_settled(redis)
    assert {number: result.text for number, result in queue.results().items()} == {
        number: f"w{number}" for number in range(9)
    }
    assert [len(batch) for batch in engine.batches][:2] == [1, 3]  # nothing is known of the first one's cost


async def test_the_last_windows_of_a_file_are_shared_between_workers(
    redis: AsyncRedis, queue: WindowQueue
) -> None:
    """A worker that took all it could decode at once would leave the others nothing to do."""
    for number in range(10):
        queue.put(window(number))
    workers = [WindowSource(redis, KEYS, consumer=name) for name in ("one", "two")]
    await workers[0].ensure_groups()
    taken: list[int] = []
    for turn in range(6):
        claims = await workers[turn % 2].next_windows(0, BATCH, block_ms=1, workers=2)
        taken.append(len(claims))
        for claim in claims:
            await workers[turn % 2].settle(claim, None)
    assert taken == [4, 3, 2, 1, 0, 0]


class EveryPiece(Splitter):
    """Each chunk is a window."""

    def __init__(self) -> None:
        super().__init__(lambda _samples: ())
        self._pushed = 0

    @property
    def samples(self) -> int:
        return self._pushed

    @property
    def position(self) -> int:
        return self._pushed

    def push(self, pcm16: bytes) -> Iterator[Stretch]:
        at, self._pushed = self._pushed, self._pushed + len(pcm16) // 2
        yield Stretch(at, pcm16)


async def test_a_file_keeps_as_many_windows_ready_as_many_workers_can_decode_together(
    redis: AsyncRedis, queue: WindowQueue
) -> None:
    """Eight devices with batches of eight. Shares of 16 windows would leave each of them with two."""
    source = WindowSource(redis, KEYS, consumer="w")
    await source.ensure_groups()
    stop = threading.Event()
    job = Transcriber(JOB, JobOptions(language="en"), queue, tell=lambda _: None, is_stopping=stop.is_set)
    chunks = ([bytes(64)] for _ in range(1_000_000))
    running = asyncio.create_task(asyncio.to_thread(job.run, chunks, EveryPiece, duration_s=1.0))
    try:
        async with asyncio.timeout(60):
            for taken, ready in ((0, 16), (16, 24), (24, 48), (16, 64)):
                if taken:
                    assert len(await source.next_windows(0, taken, block_ms=1)) == taken
                while queue.backlog().unclaimed != ready:  # noqa: ASYNC110 - another thread
                    await asyncio.sleep(0.01)
        assert len(await source.next_windows(0, 8, block_ms=1, workers=8)) == 8
    finally:
        stop.set()
        with contextlib.suppress(Stopping):
            await running


async def test_windows_of_a_cancelled_job_that_wait_for_the_device_are_given_up(
    redis: AsyncRedis, queue: WindowQueue
) -> None:
    engine = Engine()
    for number in range(6):
        queue.put(window(number))
    async with working(redis, engine):
        async with asyncio.timeout(60):
            while not engine.batches:  # noqa: ASYNC110 - another thread
                await asyncio.sleep(0.01)
        queue.cancel(60)
        async with asyncio.timeout(60):
            while await redis.xlen(STREAM) > 1:  # noqa: ASYNC110 - another task
                await asyncio.sleep(0.01)
        engine.may_go_on.set()
        await until_settled(redis)
    assert engine.batches == [["w0"]]
    assert list(queue.results()) in ([], [0])


async def test_a_window_that_fails_is_tried_again_alone_and_then_fails_its_job_only(
    redis: AsyncRedis, queue: WindowQueue
) -> None:
    engine = Engine()
    engine.may_go_on.set()
    for number, prompt in enumerate(["a", "b", "bad", "c", "d"]):
        queue.put(window(number, prompt))
    async with working(redis, engine):
        await until_settled(redis)
    results = queue.results()
    assert {number: result.text for number, result in results.items()} == {
        0: "a",
        1: "b",
        2: "",
        3: "c",
        4: "d",
    }
    assert results[2].error == "it is bad"
    assert engine.batches.count(["bad"]) == ATTEMPTS_MAX


async def test_a_window_that_broke_its_workers_is_not_given_to_another(
    redis: AsyncRedis, queue: WindowQueue
) -> None:
    engine = Engine()
    engine.may_go_on.set()
    source = WindowSource(redis, KEYS, consumer="dead")
    await source.ensure_groups()
    queue.put(window(0))
    (claim,) = await source.next_windows(0, 1, block_ms=1)
    await redis.xclaim(
        STREAM, "workers", "dead", 0, [claim.entry], idle=2 * WINDOW_LEASE_MS, retrycount=ATTEMPTS_MAX
    )
    async with working(redis, engine):
        await until_settled(redis)
    assert engine.batches == []
    assert "again and again" in queue.results()[0].error


async def test_a_window_is_renewed_while_it_is_held(redis: AsyncRedis, queue: WindowQueue) -> None:
    mine, other = (WindowSource(redis, KEYS, consumer=name) for name in ("mine", "other"))
    await mine.ensure_groups()
    queue.put(window(0))
    (claim,) = await mine.next_windows(0, 1, block_ms=1)
    late = [STREAM, "workers", "mine", 0, [claim.entry]]
    await redis.xclaim(*late, idle=2 * WINDOW_LEASE_MS, justid=True)
    await mine.renew([claim])
    assert await other.next_windows(0, 1, block_ms=1) == []
    await redis.xclaim(*late, idle=2 * WINDOW_LEASE_MS, justid=True)
    (taken,) = await other.next_windows(0, 1, block_ms=1)
    assert replace(taken, attempts=1) == claim
    await other.settle(taken, None)
