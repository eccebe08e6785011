"""What workers tell, kept in Redis: it adds up over workers, it is bounded, and it goes by itself."""

import pytest

from shared.audio.convert import CANONICAL
from shared.events import Limits, Ready, SessionConfig
from shared.redis.connection import AsyncRedis
from shared.redis.keys import HISTORY, REPORTS, Keys
from shared.redis.leases import LeaseBook
from shared.redis.sessions import SessionLog
from shared.redis.system import WAITING_LOOKED_AT_MAX, Report, Telling, ToldSession
from shared.system import HISTORY_S, SLOT_S
from shared.tally import merged

pytestmark = pytest.mark.anyio

KEYS = Keys(1)


async def test_counts_of_workers_add_up_in_a_ring_that_is_bounded(redis: AsyncRedis) -> None:
    telling = Telling(redis, KEYS)
    for worker in ("a", "b"):
        for _ in range(3):
            await telling.tell(worker, Report(age_s=1.0), {"w4": 2, "t": 0.25})
    told = await telling.told()
    assert merged(told.history.values()) == {"w4": 12, "t": 1.5}
    assert set(told.reports) == {"a", "b"}
    assert await redis.hlen(HISTORY) <= 2
    assert 0 < await redis.ttl(HISTORY) <= HISTORY_S
    assert 0 < await redis.ttl(REPORTS) <= 15


async def test_a_worker_that_leaves_is_gone_and_its_counts_stay(redis: AsyncRedis) -> None:
    telling = Telling(redis, KEYS)
    await telling.tell("a", Report(age_s=1.0, sessions=(ToldSession(id="01234567", state="quiet"),)), {})
    await telling.leave("a", {"b1": 1})
    told = await telling.told()
    assert told.reports == {}
    assert merged(told.history.values()) == {"b1": 1}


async def test_reports_of_the_dead_are_swept_and_what_can_t_be_read_is_passed_over(redis: AsyncRedis) -> None:
    telling = Telling(redis, KEYS)
    await redis.hset(REPORTS, mapping={"old": b"1:" + b"\x80", "future": b"99999999999:\x80"})
    await telling.tell("a", Report(age_s=1.0), {})
    assert await redis.hkeys(REPORTS) == [b"a"]
    seconds = int((await redis.time())[0])
    await redis.hset(REPORTS, "stranger", f"{seconds}:x")
    assert set((await telling.told()).reports) == {"a"}


async def test_a_stretch_of_an_hour_ago_is_overwritten_and_one_of_the_future_not_shown(
    redis: AsyncRedis,
) -> None:
    telling = Telling(redis, KEYS)
    seconds = int((await redis.time())[0])
    slots = HISTORY_S // SLOT_S
    for slot in range(seconds // SLOT_S - slots, seconds // SLOT_S - slots + 3):  # as an hour ago
        await redis.hset(HISTORY, str(slot % slots), f"{slot}:".encode() + b"\x81\xa2b1\x07")
    ahead = seconds // SLOT_S + 30
    await redis.hset(HISTORY, str(ahead % slots), f"{ahead}:".encode() + b"\x81\xa2b1\x07")
    await telling.tell("a", Report(age_s=1.0), {"b1": 1})
    history = (await telling.told()).history
    assert max(history) <= seconds + SLOT_S
    assert history[max(history)] == {"b1": 1}


async def test_sessions_without_a_worker_are_told_of_until_one_takes_them(redis: AsyncRedis) -> None:
    telling, log = Telling(redis, KEYS), SessionLog(redis, KEYS, resume_s=30)
    assert await telling.waiting() == []
    limits = Limits(message_bytes_max=1, session_s_max=1, resume_s=1)
    for n in range(2):
        ready = Ready(session=f"s{n}", token="", model="m", limits=limits)
        await log.open(f"s{n}", "t", SessionConfig(tenant="alice", surface="native"), ready, audio=CANONICAL)
    first, second = await telling.waiting()
    assert (first.id, first.config.surface, second.id) == ("s0", "native", "s1")
    book = LeaseBook(redis, KEYS, consumer="w", lease_s=1.5)
    await book.ensure_groups()
    claim = await book.next_session(0, block_ms=10)
    assert abs(getattr(claim, "opened_s") - first.since_s) < 2  # noqa: B009 - it may be a SetAside
    assert [session.id for session in await telling.waiting()] == ["s1"]
    assert WAITING_LOOKED_AT_MAX >= 16
