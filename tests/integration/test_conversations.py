"""What every live surface is built on: sessions opened, fed, given up as a dialect asks, against the real
service. The client is a queue in place of a socket."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from api.conversation import Gone, converse
from api.dialect import Abandon, Act, Audio, Close, End, Finalize, Open, Send
from api.live_session import Session
from api.session_desk import LiveParts, SessionDesk
from shared.audio.convert import AudioFormat
from shared.errors import NoCapacity, RateLimited
from shared.events import Closed, Error, Event, Final, Finalized, Ready, SessionConfig
from shared.redis.connection import AsyncRedis, connect
from shared.redis.keys import Keys
from shared.redis.live import LiveFeed
from shared.redis.presence import Presence
from shared.redis.sessions import SessionLog
from shared.tasks import end_tasks
from tests.support.quota import live_bounds
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
OTHER = spoken("en_wizard")
WAIT_S_MAX = 60.0
PLAIN = SessionConfig(partials=False)


class QueueWire:
    """Acts as messages: the client says what the dialect is to do."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[list[Act[str]] | None] = asyncio.Queue()
        self.frames: list[str] = []
        self.closed: Close | None = None

    async def receive(self) -> list[Act[str]]:
        message = await self.said.get()
        if message is None:
            raise Gone
        return message

    async def send(self, frame: str) -> None:
        self.frames.append(frame)

    async def close(self, code: int, reason: str) -> None:
        self.closed = Close(code, reason)


@dataclass
class Puppet:
    """A dialect that does as it is told, and keeps what is said to it."""

    surface: str = "puppet"
    idle_s: float | None = None
    events: list[tuple[int, Event]] = field(default_factory=list[tuple[int, Event]])
    news: asyncio.Event = field(default_factory=asyncio.Event)
    idles: int = 0
    on_event: Callable[[int, Event], Sequence[Act[str]]] = lambda _key, _event: []

    def begin(self) -> Sequence[Act[str]]:
        return [Send("hello")]

    def received(self, message: list[Act[str]]) -> Sequence[Act[str]]:
        return message

    def said(self, key: int, seq: int, event: Event) -> Sequence[Act[str]]:
        self.events.append((key, event))
        self.news.set()
        return self.on_event(key, event)

    def idle(self) -> Sequence[Act[str]]:
        self.idles += 1
        self.news.set()
        return [Close(1011, "idle")]

    def of(self, key: int) -> list[Event]:
        return [event for k, event in self.events if k == key]

    async def until(self, key: int, kind: type[Event]) -> Event:
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                for event in self.of(key):
                    if isinstance(event, kind):
                        return event
                self.news.clear()
                await self.news.wait()


@dataclass
class Parts:
    desk: SessionDesk
    redis_url: str


@pytest.fixture
async def parts(service: Service) -> AsyncGenerator[Parts]:
    client, keys = connect(service.redis_url), Keys()
    feed = LiveFeed(client, keys)
    quota, rates, audit = live_bounds(client)
    live = LiveParts(
        sessions=SessionLog(client, keys, resume_s=30),
        feed=feed,
        presence=Presence(client),
        queue_s=10,
        resume_s=30,
        session_s_max=3600,
        quota=quota,
        rates=rates,
        audit=audit,
    )
    task = asyncio.create_task(feed.run_forever())
    try:
        yield Parts(SessionDesk(live), service.redis_url)
    finally:
        await end_tasks([task])
        await client.aclose()


@asynccontextmanager
async def talking(parts: Parts, puppet: Puppet) -> AsyncGenerator[QueueWire]:
    """A conversation that has ended at the end of the block."""
    wire = QueueWire()
    task = asyncio.create_task(converse(wire, puppet, parts.desk))
    try:
        yield wire
    finally:
        wire.said.put_nowait(None)
        async with asyncio.timeout(WAIT_S_MAX):
            await task


def text(puppet: Puppet, key: int) -> str:
    return " ".join(event.text for event in puppet.of(key) if isinstance(event, Final))


def audio(key: int, pcm16: bytes) -> list[Act[str]]:
    return [Audio(key, pcm16[i : i + 3200]) for i in range(0, len(pcm16), 3200)]


async def test_two_sessions_at_once_do_not_mix_and_the_dialect_closes(parts: Parts) -> None:
    def last(_key: int, event: Event) -> Sequence[Act[str]]:
        over = [e for _, e in puppet.events if isinstance(e, Closed)]
        return [Send("bye"), Close(1000)] if isinstance(event, Closed) and len(over) == 2 else []

    puppet = Puppet(on_event=last)
    async with talking(parts, puppet) as wire:
        wire.said.put_nowait([Open(key=3, config=PLAIN), Open(key=5, config=PLAIN)])
        for a, b in zip(audio(3, TALK), audio(5, OTHER), strict=False):
            wire.said.put_nowait([a, b])
        wire.said.put_nowait([End(3), End(5)])
        await puppet.until(3, Closed)
        await puppet.until(5, Closed)
    assert wire.frames == ["hello", "bye"]
    assert wire.closed == Close(1000)
    assert [type(puppet.of(key)[0]) for key in (3, 5)] == [Ready, Ready]
    assert text(puppet, 3) != text(puppet, 5) != ""


async def test_sessions_one_after_another_and_other_audio_formats(parts: Parts) -> None:
    puppet = Puppet()
    async with talking(parts, puppet) as wire:
        wire.said.put_nowait([Open(key=0, config=PLAIN), *audio(0, TALK), Finalize(0, "turn")])
        answer = await puppet.until(0, Finalized)
        assert isinstance(answer, Finalized)
        assert answer.id == "turn"
        form = AudioFormat("pcm16", 8000, 1)
        wire.said.put_nowait([End(0), Open(key=1, config=PLAIN, audio=form), *audio(1, TALK), End(1)])
        closed = await puppet.until(1, Closed)
        assert isinstance(closed, Closed)
        assert closed.duration == pytest.approx(2 * len(TALK) / 32000, abs=0.01)
        await puppet.until(0, Closed)


async def test_an_abandoned_session_says_nothing_more_and_is_over_at_once(parts: Parts) -> None:
    puppet = Puppet()
    async with talking(parts, puppet) as wire:
        wire.said.put_nowait([Open(key=0, config=PLAIN), *audio(0, TALK[: 32000 * 2])])
        ready = await puppet.until(0, Ready)
        assert isinstance(ready, Ready)
        wire.said.put_nowait([Abandon(0), *audio(0, TALK), Finalize(0), End(0)])
        wire.said.put_nowait([Open(key=1, config=PLAIN), *audio(1, OTHER), End(1)])
        await puppet.until(1, Closed)
        await until_closed(parts.redis_url, ready.session)
    assert not any(isinstance(event, Final | Error | Closed) for event in puppet.of(0))


async def test_a_session_that_can_t_be_opened_is_an_error_and_the_next_is_served(parts: Parts) -> None:
    puppet = Puppet()
    async with talking(parts, puppet) as wire:
        wrong = SessionConfig(model="no-such-model")
        wire.said.put_nowait([Open(key=0, config=wrong), *audio(0, OTHER), End(0)])
        wire.said.put_nowait([Open(key=1, config=PLAIN, audio=AudioFormat("pcm16", 1, 1))])
        wire.said.put_nowait([Open(key=2, config=PLAIN), *audio(2, OTHER), End(2)])
        await puppet.until(2, Closed)
    for key in (0, 1):
        (error,) = puppet.of(key)
        assert isinstance(error, Error)
        assert error.code == "bad_parameter"
    assert text(puppet, 2)


async def test_a_client_that_is_gone_leaves_no_session_behind(parts: Parts) -> None:
    puppet = Puppet()
    async with talking(parts, puppet) as wire:
        wire.said.put_nowait([Open(key=0, config=PLAIN), *audio(0, OTHER)])
        wire.said.put_nowait([Open(key=1, config=PLAIN), *audio(1, OTHER)])
        sessions = [await puppet.until(key, Ready) for key in (0, 1)]
    for ready in sessions:
        assert isinstance(ready, Ready)
        await until_closed(parts.redis_url, ready.session)


async def test_a_client_that_says_nothing_is_idle(parts: Parts) -> None:
    puppet = Puppet(idle_s=0.05)
    async with talking(parts, puppet) as wire:
        async with asyncio.timeout(WAIT_S_MAX):
            await puppet.news.wait()
    assert puppet.idles == 1
    assert wire.closed == Close(1011, "idle")


async def test_a_mistake_of_a_dialect_is_not_hidden(parts: Parts) -> None:
    def wrong(_key: int, _event: Event) -> Sequence[Act[str]]:
        raise ZeroDivisionError

    wire = QueueWire()
    wire.said.put_nowait([Open(key=0, config=PLAIN)])
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(WAIT_S_MAX):
            await converse(wire, Puppet(on_event=wrong), parts.desk)


async def test_the_desk_serves_whoever_has_no_socket(parts: Parts) -> None:
    async with parts.desk.open(Open(config=PLAIN), surface="test") as session:
        work: list[Awaitable[None]] = [feed_all(session, OTHER)]
        await asyncio.gather(*work)
        events = [event async for _, event in session]
    assert isinstance(events[0], Ready)
    assert isinstance(events[-1], Closed)


async def test_a_desk_without_room_says_so(redis_url: str) -> None:
    client, keys = connect(redis_url), Keys()
    log = SessionLog(client, keys, resume_s=30)
    live = LiveParts(log, LiveFeed(client, keys), Presence(client), 10, 30, 3600, *live_bounds(client))
    desk = SessionDesk(live)
    try:
        for n in range(16):
            await log.open(f"{n}", "t", PLAIN, Ready(session="", token="", model="", limits=_limits()))
        with pytest.raises(NoCapacity):
            await desk.check_room()
        with pytest.raises(NoCapacity):
            async with desk.open(Open(config=PLAIN), surface="test"):
                pytest.fail("no room")
    finally:
        await client.flushall()
        await client.aclose()


async def feed_all(session: Session, pcm16: bytes) -> None:
    for i in range(0, len(pcm16), 3200):
        await session.audio(pcm16[i : i + 3200])
    await session.end()


async def until_closed(redis_url: str, session: str) -> None:
    """Wait until Redis says that a session is closed."""
    client = connect(redis_url)
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while await client.hget(Keys().session(session).state, "status") != b"closed":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        await client.aclose()


def _limits() -> object:
    from shared.events import Limits

    return Limits(message_bytes_max=1, session_s_max=1, resume_s=1)


async def test_a_surface_without_requests_counts_its_sessions_as_such(redis: AsyncRedis) -> None:
    keys = Keys()
    quota, rates, audit = live_bounds(redis, requests_per_minute=1)
    log = SessionLog(redis, keys, resume_s=30)
    live = LiveParts(log, LiveFeed(redis, keys), Presence(redis), 10, 30, 3600, quota, rates, audit)
    await rates.count("home")
    opening = Open(config=replace(PLAIN, tenant="home"), is_counted=False)
    with pytest.raises(RateLimited) as refused:
        async with SessionDesk(live).open(opening, surface="wyoming"):
            pytest.fail("too often")
    assert refused.value.retry_after_s
