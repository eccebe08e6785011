"""Sessions in a real Redis: fences, idempotent appends, exactly-once events, take-over, clean-up."""

import asyncio
import time
from dataclasses import replace

import pytest

from shared.codec import pack
from shared.errors import NotFound, Superseded
from shared.events import Closed, Error, Final, Limits, Partial, Ready, SessionConfig, SpeechStart, Warning
from shared.redis.connection import AsyncRedis
from shared.redis.keys import GROUP, WORKERS, Keys
from shared.redis.leases import FAILURES_MAX, Chunk, Claim, LeaseBook, Load, Marked, Saying, SetAside
from shared.redis.live import LiveFeed
from shared.redis.presence import Presence, WorkerPresence
from shared.redis.sessions import Mark, SessionLog
from shared.tasks import end_tasks

pytestmark = pytest.mark.anyio

KEYS = Keys(2)
SESSION = "5e551040"
SHARD = KEYS.shard(SESSION)
LEASE_S = 0.2
IDLE = Load()
READY = Ready(
    session=SESSION, token="t", model="", limits=Limits(message_bytes_max=1, session_s_max=1, resume_s=1)
)
SECOND = b"\1\0" * 16_000


def final(number: int) -> Final:
    return Final(text="x", utterance=number, start=0.0, end=1.0, committed=1, offset=0)


def partial() -> Partial:
    return Partial(text="x", utterance=0, start=0.0, end=1.0, committed=0, offset=0)


class Parts:
    """The edge's side, and two workers."""

    def __init__(self, redis: AsyncRedis) -> None:
        self.redis = redis
        self.log = SessionLog(redis, KEYS, resume_s=30)
        self.book = LeaseBook(redis, KEYS, consumer="first", lease_s=LEASE_S)
        self.other = LeaseBook(redis, KEYS, consumer="second", lease_s=LEASE_S)

    async def open(self) -> None:
        await self.book.ensure_groups()
        await self.log.open(SESSION, "t", SessionConfig(language="de"), READY)

    async def claimed(self) -> Claim:
        await self.open()
        return await self.claim(self.book)

    async def claim(self, book: LeaseBook) -> Claim:
        claim = await self.taken(book)
        assert isinstance(claim, Claim)
        return claim

    async def taken(self, book: LeaseBook, load: Load = IDLE) -> Claim | SetAside:
        async with asyncio.timeout(10):
            while (claim := await book.next_session(SHARD, block_ms=20, load=load)) is None:
                pass
        return claim


@pytest.fixture
def parts(redis: AsyncRedis) -> Parts:
    return Parts(redis)


async def test_a_claim_carries_what_the_worker_needs(parts: Parts) -> None:
    claim = await parts.claimed()
    assert (claim.session, claim.fence, claim.committed, claim.failures) == (SESSION, 1, 0, 0)
    assert claim.config == SessionConfig(language="de")


async def test_who_asked_in_the_future_may_be_gone_and_is_not_waited_for(parts: Parts) -> None:
    """As it stands there after the server's clock was set back by an hour."""
    await parts.open()
    in_an_hour_ms = round(1000 * (time.time() + 3600))
    await parts.redis.hset(KEYS.takers(SHARD), "gone", f"{in_an_hour_ms}:0")
    assert isinstance(await parts.taken(parts.book, Load(active=1, capacity=2)), Claim)
    assert not await parts.redis.hexists(KEYS.takers(SHARD), "gone")


async def test_a_worker_that_lived_in_the_future_is_swept(parts: Parts) -> None:
    alive = WorkerPresence(worker="w", model="m", device="cpu", capacity=1, active=0, languages=("en",))
    in_an_hour_s = round(time.time() + 3600)
    await parts.redis.hset(WORKERS, "gone", f"{in_an_hour_s}:".encode() + pack(replace(alive, worker="gone")))
    presence = Presence(parts.redis)
    assert [w.worker for w in await presence.workers()] == ["gone"]
    await presence.beat(alive)
    assert [w.worker for w in await presence.workers()] == ["w"]


async def test_opening_twice_is_once_and_another_token_is_refused(parts: Parts) -> None:
    await parts.open()
    assert await parts.log.open(SESSION, "t", SessionConfig(), READY) == 1
    with pytest.raises(ValueError, match="exists"):
        await parts.log.open(SESSION, "other", SessionConfig(), READY)
    assert await parts.redis.xlen(KEYS.queue(SHARD)) == 1


async def test_the_resume_token_is_kept_as_a_hash_and_checked(parts: Parts) -> None:
    await parts.open()
    assert (await parts.log.look(SESSION, "t")).config == SessionConfig(language="de")
    for session, token in ((SESSION, "wrong"), ("no-such", "t")):
        with pytest.raises(NotFound):
            await parts.log.look(session, token)
    assert await parts.redis.hget(KEYS.session(SESSION).state, "token") != b"t"


async def test_audio_sent_twice_is_there_once(parts: Parts) -> None:
    claim = await parts.claimed()
    assert await parts.log.append(SESSION, 0, SECOND)
    assert not await parts.log.append(SESSION, 0, SECOND)
    assert await parts.log.append(SESSION, 16_000, SECOND)
    _, items = await parts.book.read_audio(claim, "0-0", block_ms=20)
    assert items == [Chunk(0, SECOND), Chunk(16_000, SECOND)]


async def test_marks_stand_behind_the_audio_and_once(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.log.append(SESSION, 0, SECOND)
    assert await parts.log.mark(SESSION, 16_000, Mark.FINALIZE)
    assert not await parts.log.mark(SESSION, 16_000, Mark.FINALIZE)
    await parts.log.append(SESSION, 16_000, SECOND)
    await parts.log.mark(SESSION, 32_000, Mark.END)
    _, items = await parts.book.read_audio(claim, "0-0", block_ms=20)
    assert [type(item) for item in items] == [Chunk, Marked, Chunk, Marked]
    assert items[3] == Marked(32_000, Mark.END)


async def test_an_end_before_any_audio_can_be_marked(parts: Parts) -> None:
    claim = await parts.claimed()
    assert await parts.log.mark(SESSION, 0, Mark.END)
    assert (await parts.book.read_audio(claim, "0-0", block_ms=20))[1] == [Marked(0, Mark.END)]


async def test_covered_audio_goes_and_the_rest_stays(parts: Parts) -> None:
    claim = await parts.claimed()
    for second in range(3):
        await parts.log.append(SESSION, second * 16_000, SECOND)
    await parts.log.mark(SESSION, 48_000, Mark.END)
    await parts.book.emit(claim, 1, Saying([final(0)], covered=24_000))
    _, items = await parts.book.read_audio(claim, "24000-0", block_ms=20)
    assert items == [Chunk(16_000, SECOND), Chunk(32_000, SECOND), Marked(48_000, Mark.END)]
    assert await parts.redis.xlen(KEYS.session(SESSION).audio) == 3


async def test_an_end_is_seen_by_a_successor_though_all_audio_is_covered(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.log.append(SESSION, 0, SECOND)
    await parts.log.mark(SESSION, 16_000, Mark.END)
    await parts.book.emit(claim, 1, Saying([final(0)], covered=16_000))
    successor = await parts.claim(parts.other)
    assert successor.committed == 16_000
    _, items = await parts.other.read_audio(successor, "16000-0", block_ms=20)
    assert items == [Marked(16_000, Mark.END)]


async def test_events_are_numbered_without_gaps_and_partials_are_not_logged(parts: Parts) -> None:
    claim = await parts.claimed()
    assert await parts.book.emit(claim, 1, Saying([SpeechStart(utterance=0, start=0.0), partial()])) == 3
    assert await parts.log.warn(SESSION, Warning(code="c", message="m")) == 4
    assert await parts.book.emit(claim, 2, Saying([final(0)])) == 5
    logged = await parts.log.events_after(SESSION, 1)
    assert [(seq, event.type) for seq, event in logged] == [(2, "speech_start"), (4, "warning"), (5, "final")]


async def test_a_write_whose_answer_was_lost_is_not_said_twice(parts: Parts) -> None:
    claim = await parts.claimed()
    said = await parts.book.emit(claim, 7, Saying([final(0)]))
    assert await parts.book.emit(claim, 7, Saying([final(0)])) == said
    assert len(await parts.log.events_after(SESSION, 1)) == 1


async def test_a_worker_that_is_gone_is_followed_by_another_which_knows_its_checkpoint(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.book.emit(claim, 1, Saying([final(0)], covered=16_000, checkpoint=b"left behind"))
    successor = await parts.claim(parts.other)
    assert (successor.fence, successor.committed, successor.failures) == (2, 16_000, 1)
    assert successor.checkpoint == b"left behind"


async def test_every_write_of_a_superseded_worker_is_refused(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.claim(parts.other)
    for write in (
        parts.book.emit(claim, 1, Saying([final(0)])),
        parts.book.renew(claim),
        parts.book.release(claim),
        parts.book.settle(claim, [], covered=0),
    ):
        with pytest.raises(Superseded):
            await write
    assert await parts.log.events_after(SESSION, 1) == []


async def test_a_renewed_lease_is_not_taken_over(parts: Parts) -> None:
    claim = await parts.claimed()
    for _ in range(8):
        await asyncio.sleep(LEASE_S / 4)
        assert await parts.book.renew(claim)
        assert await parts.other.next_session(SHARD, block_ms=1) is None


async def test_a_released_session_is_taken_at_once(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.book.release(claim)
    assert (await parts.other.next_session(SHARD, block_ms=1)) is not None


async def test_a_session_behind_many_held_ones_is_taken_over(parts: Parts) -> None:
    claims = [await parts.claimed()]
    others = [name for n in range(100) if KEYS.shard(name := f"{n:08x}") == SHARD][:24]
    for name in others:
        await parts.log.open(name, "t", SessionConfig(), READY)
        claims.append(await parts.claim(parts.book))
    patient = LeaseBook(parts.redis, KEYS, consumer="second", lease_s=60.0)
    await parts.redis.xclaim(
        KEYS.queue(SHARD), GROUP, "first", 0, [claims[-1].entry], idle=90_000, justid=True
    )
    assert (await parts.claim(patient)).session == others[-1]


async def test_a_session_goes_to_the_worker_with_less_load(parts: Parts) -> None:
    await parts.book.ensure_groups()
    busy, idle = Load(3, 4), Load(1, 4)
    assert await parts.other.next_session(SHARD, block_ms=1, load=idle) is None
    await parts.open()
    assert await parts.book.next_session(SHARD, block_ms=1, load=busy) is None
    assert await parts.other.next_session(SHARD, block_ms=1, load=idle) is not None


async def test_a_session_does_not_wait_for_ever_for_a_worker_with_less_load(parts: Parts) -> None:
    await parts.book.ensure_groups()
    assert await parts.other.next_session(SHARD, block_ms=1, load=Load(0, 4)) is None
    await parts.open()
    assert isinstance(await parts.taken(parts.book, Load(3, 4)), Claim)


async def test_a_worker_that_leaves_is_not_waited_for_and_its_consumer_is_gone(parts: Parts) -> None:
    await parts.book.ensure_groups()
    assert await parts.other.next_session(SHARD, block_ms=1, load=Load(0, 4)) is None
    await parts.other.leave()
    await parts.open()
    assert await parts.book.next_session(SHARD, block_ms=1, load=Load(3, 4)) is not None
    await parts.other.leave()
    consumers = await parts.redis.xinfo_consumers(KEYS.queue(SHARD), "workers")
    assert [row["name"] for row in consumers] == [b"first"]


async def test_leaving_keeps_the_consumer_that_still_has_sessions(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.book.leave()
    assert await parts.book.renew(claim)


async def test_many_sessions_at_once_spread_over_the_workers(parts: Parts) -> None:
    await parts.book.ensure_groups()
    names = [name for n in range(100) if KEYS.shard(name := f"{n:08x}") == SHARD][:20]
    counts = {"first": 0, "second": 0}

    async def work(name: str, book: LeaseBook) -> None:
        while sum(counts.values()) < len(names):
            if await book.next_session(SHARD, block_ms=20, load=Load(counts[name], 64)):
                counts[name] += 1

    async with asyncio.timeout(30):
        workers = asyncio.gather(work("first", parts.book), work("second", parts.other))
        for name in names:
            await parts.log.open(name, "t", SessionConfig(), READY)
        await workers
    assert abs(counts["first"] - counts["second"]) <= 2, counts


async def test_a_session_that_loses_its_owners_at_one_place_is_set_aside_with_an_error(parts: Parts) -> None:
    await parts.open()
    for _ in range(FAILURES_MAX):
        await parts.claim(parts.book)
    assert await parts.taken(parts.other) == SetAside(SESSION)
    (_, event) = (await parts.log.events_after(SESSION, 1))[-1]
    assert isinstance(event, Error)
    assert (event.code, event.retryable) == ("engine_fault", False)
    assert await parts.redis.xlen(KEYS.queue(SHARD)) == 0
    assert not await parts.redis.exists(KEYS.session(SESSION).audio)
    with pytest.raises(NotFound):
        await parts.log.append(SESSION, 0, SECOND)


async def test_owners_that_were_only_cut_off_have_time_to_say_so_before_their_session_is_set_aside(
    parts: Parts,
) -> None:
    claim = await parts.claimed()
    for _ in range(FAILURES_MAX - 1):
        await parts.claim(parts.other)
    async with asyncio.timeout(10):
        while await parts.redis.hget(KEYS.session(SESSION).state, "failures") != b"%d" % FAILURES_MAX:
            assert await parts.other.next_session(SHARD, block_ms=20) is None
    with pytest.raises(Superseded):
        await parts.book.renew(claim)
    await parts.book.absolve(claim)
    assert (await parts.claim(parts.other)).failures == 0


async def test_failed_attempts_count_and_hand_overs_do_not(parts: Parts) -> None:
    await parts.open()
    for _ in range(FAILURES_MAX + 1):
        await parts.book.release(await parts.claim(parts.book))
    for failures in range(FAILURES_MAX):
        claim = await parts.claim(parts.book)
        assert claim.failures == failures
        await parts.book.release(claim, failed=True)
    assert await parts.taken(parts.book) == SetAside(SESSION)


async def test_a_worker_has_one_suspect_at_a_time(parts: Parts) -> None:
    await parts.open()
    for _ in range(FAILURES_MAX - 1):
        await parts.claim(parts.book)
    assert await parts.other.next_session(SHARD, block_ms=1, load=Load(1, 4, suspects=1)) is None
    async with asyncio.timeout(10):
        while await parts.redis.hget(KEYS.session(SESSION).state, "failures") != b"2":
            assert await parts.other.next_session(SHARD, block_ms=1, load=Load(1, 4, suspects=1)) is None
    suspect = await parts.claim(parts.book)
    assert suspect.is_suspect


async def test_a_session_that_goes_forward_is_forgiven(parts: Parts) -> None:
    await parts.open()
    for sample in range(1, 2 * FAILURES_MAX):
        claim = await parts.claim(parts.book)
        await parts.book.emit(claim, 1, Saying([], covered=sample))
        await parts.book.release(claim, failed=True)


async def test_an_owner_that_lost_the_session_and_lives_takes_the_blame_off_it(parts: Parts) -> None:
    claim = await parts.claimed()
    successor = await parts.claim(parts.other)
    assert successor.failures == 1
    await parts.book.absolve(claim)
    await parts.other.release(successor)
    assert (await parts.claim(parts.book)).failures == 0


async def test_renewing_tells_when_no_edge_holds_the_client(parts: Parts) -> None:
    claim = await parts.claimed()
    assert await parts.book.renew(claim)
    await parts.redis.delete(KEYS.session(SESSION).client)
    assert not await parts.book.renew(claim)
    await parts.log.touch_client(SESSION)
    assert await parts.book.renew(claim)


async def test_a_settled_session_takes_no_audio_and_leaves_the_queue(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.log.append(SESSION, 0, SECOND)
    closed = Closed(reason="end", duration=1.0, utterances=0)
    await parts.book.settle(claim, [closed], covered=16_000)
    await parts.book.settle(claim, [closed], covered=16_000)
    with pytest.raises(NotFound):
        await parts.log.append(SESSION, 16_000, SECOND)
    assert [event.type for _, event in await parts.log.events_after(SESSION, 1)] == ["closed"]
    assert await parts.redis.xlen(KEYS.queue(SHARD)) == 0
    assert not await parts.redis.exists(KEYS.session(SESSION).audio)


async def test_a_session_that_the_edge_gave_up_is_not_claimed(parts: Parts) -> None:
    await parts.open()
    await parts.log.fail(SESSION, Error(code="no_capacity", message="m"))
    assert await parts.book.next_session(SHARD, block_ms=20) is None
    assert await parts.redis.xlen(KEYS.queue(SHARD)) == 0


async def test_a_session_that_the_edge_gave_up_is_lost_to_its_worker(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.log.fail(SESSION, Error(code="bad_message", message="m"))
    with pytest.raises(Superseded):
        await parts.book.emit(claim, 1, Saying([final(0)]))


async def test_the_group_is_made_again_after_a_flush(parts: Parts) -> None:
    await parts.claimed()
    await parts.redis.flushall()
    assert await parts.book.next_session(SHARD, block_ms=1) is None
    await parts.log.open(SESSION, "t", SessionConfig(), READY)
    assert (await parts.claim(parts.book)).fence == 1


async def test_a_script_that_the_server_forgot_is_sent_again(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.redis.script_flush()
    assert await parts.book.emit(claim, 1, Saying([final(0)])) == 2


async def test_followers_hear_their_own_session_and_logged_events_fill_gaps(parts: Parts) -> None:
    feed = LiveFeed(parts.redis, KEYS)
    reader = asyncio.create_task(feed.run_forever())
    try:
        async with feed.follow(SESSION) as follower, feed.follow("another") as deaf:
            claim = await parts.claimed()
            await parts.book.emit(claim, 1, Saying([partial(), final(0)]))
            heard = [await follower.next(5.0) for _ in range(3)]
            assert [item[0] for item in heard if item] == [1, 2, 3]
            assert await deaf.next(0.05) is None
    finally:
        await end_tasks([reader])


async def test_every_key_of_a_session_is_on_its_way_out_from_the_start(parts: Parts) -> None:
    claim = await parts.claimed()
    await parts.log.append(SESSION, 0, SECOND)
    await parts.book.emit(claim, 1, Saying([final(0)], checkpoint=pack(READY)))
    names = [key async for key in parts.redis.scan_iter(match="steno:*:s:*")]
    assert len(names) == 4
    assert all([await parts.redis.ttl(name) > 0 for name in names])
