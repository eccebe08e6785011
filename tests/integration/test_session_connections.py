"""Connections of a session in a real Redis: one owns it, the one before it changes nothing any more."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.audio.convert import AudioFormat
from shared.errors import MustResume, NotFound, TakenOver
from shared.events import Error, Limits, Ready, SessionConfig, Warning
from shared.redis.connection import AsyncRedis
from shared.redis.keys import Keys
from shared.redis.leases import Chunk, LeaseBook, Marked
from shared.redis.live import LiveFeed
from shared.redis.sessions import Mark, SessionLog
from shared.tasks import end_tasks

pytestmark = pytest.mark.anyio

KEYS = Keys()
SESSION = "5e551040"
SECOND = b"\1\0" * 16_000
READY = Ready(
    session=SESSION, token="", model="", limits=Limits(message_bytes_max=1, session_s_max=1, resume_s=1)
)


@pytest.fixture
async def log(redis: AsyncRedis) -> SessionLog:
    log = SessionLog(redis, KEYS, resume_s=5)
    await log.open(SESSION, "t", SessionConfig(), READY, audio=AudioFormat("mulaw", 8000, 2))
    return log


async def test_what_a_connection_needs_is_kept_with_the_session(log: SessionLog) -> None:
    kept = await log.look(SESSION, "t")
    assert (kept.config, kept.audio, kept.seq) == (SessionConfig(), AudioFormat("mulaw", 8000, 2), 1)


async def test_a_new_connection_learns_how_far_the_session_has_come(log: SessionLog) -> None:
    await log.append(SESSION, 0, SECOND)
    await log.mark(SESSION, 16_000, Mark.FINALIZE, finalized=1)
    attached = await log.attach(SESSION)
    assert (attached.connection, attached.received, attached.finalized) == (2, 16_000, 1)
    assert (attached.is_open, attached.ended, attached.seq) == (True, False, 1)
    await log.mark(SESSION, 16_000, Mark.END, connection=2)
    assert (await log.attach(SESSION)).ended


WRITES: dict[str, Callable[[SessionLog], Awaitable[object]]] = {
    "append": lambda log: log.append(SESSION, 16_000, SECOND),
    "append again": lambda log: log.append(SESSION, 0, SECOND),
    "mark": lambda log: log.mark(SESSION, 16_000, Mark.END),
    "warn": lambda log: log.warn(SESSION, Warning(code="c", message="m")),
    "fail": lambda log: log.fail(SESSION, Error(code="c", message="m")),
    "touch": lambda log: log.touch_client(SESSION),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_every_write_of_a_connection_that_was_replaced_is_refused(
    log: SessionLog, redis: AsyncRedis, write: Callable[[SessionLog], Awaitable[object]]
) -> None:
    await log.append(SESSION, 0, SECOND)
    await log.attach(SESSION)
    before = await redis.hgetall(KEYS.session(SESSION).state)
    with pytest.raises(TakenOver):
        await write(log)
    assert await redis.hgetall(KEYS.session(SESSION).state) == before
    assert await redis.xlen(KEYS.session(SESSION).audio) == 1


async def test_audio_behind_a_gap_is_refused(log: SessionLog) -> None:
    """As after a restart of Redis that lost its last moment: the worker must not be left with a hole."""
    await log.append(SESSION, 0, SECOND)
    with pytest.raises(MustResume):
        await log.append(SESSION, 32_000, SECOND)
    assert await log.append(SESSION, 16_000, SECOND)


async def test_two_that_resume_at_once_leave_one_owner(log: SessionLog) -> None:
    attached = await asyncio.gather(*(log.attach(SESSION) for _ in range(8)))
    assert sorted(item.connection for item in attached) == list(range(2, 10))
    for item in attached:
        append = log.append(SESSION, 0, SECOND, connection=item.connection)
        if item.connection == 9:
            assert await append
        else:
            with pytest.raises(TakenOver):
                await append


async def test_a_worker_hears_one_stream_from_several_connections(log: SessionLog, redis: AsyncRedis) -> None:
    book = LeaseBook(redis, KEYS, consumer="w", lease_s=1)
    await book.ensure_groups()
    claim = await book.next_session(0, block_ms=1000)
    assert claim is not None
    await log.append(SESSION, 0, SECOND)
    second = (await log.attach(SESSION)).connection
    assert not await log.append(SESSION, 0, SECOND, connection=second)
    await log.append(SESSION, 16_000, SECOND, connection=second)
    await log.mark(SESSION, 32_000, Mark.END, connection=second)
    _, items = await book.read_audio(claim, "0-0", block_ms=20)
    assert items == [Chunk(0, SECOND), Chunk(16_000, SECOND), Marked(32_000, Mark.END)]


async def test_a_closed_session_can_be_attached_to_and_takes_nothing(log: SessionLog) -> None:
    await log.fail(SESSION, Error(code="c", message="m"))
    attached = await log.attach(SESSION)
    assert not attached.is_open
    with pytest.raises(NotFound):
        await log.append(SESSION, 0, SECOND, connection=attached.connection)
    assert not await log.touch_client(SESSION, connection=attached.connection)


async def test_a_session_that_is_gone_is_not_attached_to(log: SessionLog, redis: AsyncRedis) -> None:
    await redis.flushall()
    with pytest.raises(NotFound):
        await log.attach(SESSION)
    with pytest.raises(NotFound):
        await log.touch_client(SESSION)


async def test_the_connection_before_is_told_though_both_are_on_one_edge(
    log: SessionLog, redis: AsyncRedis
) -> None:
    feed = LiveFeed(redis, KEYS)
    reader = asyncio.create_task(feed.run_forever())
    try:
        async with feed.follow(SESSION) as newer:
            async with feed.follow(SESSION) as older:
                attached = await log.attach(SESSION)
                assert await older.next(5.0) is None
                assert older.connection == newer.connection == attached.connection
                assert await newer.next(5.0) is None
            seq = await log.warn(SESSION, Warning(code="c", message="m"), connection=attached.connection)
            heard = await newer.next(5.0)
            assert heard is not None
            assert heard[0] == seq
    finally:
        await end_tasks([reader])


async def test_a_long_log_is_read_to_its_end(log: SessionLog) -> None:
    for _ in range(1100):
        await log.warn(SESSION, Warning(code="c", message="m"))
    assert [seq async for seq, _ in log.logged(SESSION, 3)] == list(range(4, 1102))


async def test_those_that_wait_for_a_worker_are_counted(log: SessionLog, redis: AsyncRedis) -> None:
    assert await log.waiting() == 1
    book = LeaseBook(redis, KEYS, consumer="w", lease_s=1)
    await book.ensure_groups()
    assert await log.waiting() == 1
    assert await book.next_session(0, block_ms=1000) is not None
    assert await log.waiting() == 0


async def test_the_token_is_in_clear_nowhere(redis: AsyncRedis) -> None:
    log = SessionLog(redis, KEYS, resume_s=5)
    await log.open(SESSION, "a-secret", SessionConfig(), READY)
    dumped = [await redis.dump(key) async for key in redis.scan_iter()]
    assert dumped
    assert not any(b"a-secret" in (dump or b"") for dump in dumped)


async def test_one_that_is_given_up_waits_no_longer(log: SessionLog) -> None:
    await log.fail(SESSION, Error(code="no_capacity", message="m"))
    assert await log.waiting() == 0
