"""Too much for one side: audio faster than workers, events faster than the client, sessions without room."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from api.admission import WAITING_MAX
from api.ingest import LAG_HIGH_S
from client import NoCapacity, connect
from shared.events import Warning
from shared.redis.connection import AsyncRedis
from shared.redis.connection import connect as connect_redis
from shared.redis.keys import Keys
from shared.redis.sessions import SessionLog
from tests.conftest import leaked_keys
from tests.support.live import RawSession, raw_session
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken("en_quilter", "en_wizard")
FLOOD = 1500
RESUME_S = 30
"""Longer than a busy machine takes to write a flood: its client is cut off in the middle of it."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service whose worker takes one session at a time."""
    folder = tmp_path_factory.mktemp("flow")
    settings = {"worker_sessions": "1", "queue_s": "20", "resume_s": str(RESUME_S)}
    with Service.running(folder, engine="scripted", modules=("api", "worker"), **settings) as running:
        yield running
        assert leaked_keys(running.redis_url) == []


@pytest.fixture
async def queue(own: Service) -> AsyncGenerator[AsyncRedis]:
    """The service's Redis. Sessions of the test end before the next one begins."""
    redis = connect_redis(own.redis_url)
    yield redis
    async with asyncio.timeout(60):
        while await redis.xlen(Keys().queue(0)):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)
    await redis.aclose()


async def test_a_client_is_told_once_that_it_is_held_back_and_goes_on_later(
    own: Service, queue: AsyncRedis
) -> None:
    async with raw_session(own.ws_url) as session:
        await session.audio(TALK)
        await session.until("final")
        own.processes["worker"].send_signal(signal.SIGSTOP)
        try:
            sending = asyncio.create_task(session.audio(TALK * 8))
            warning = await session.until("warning")
            assert warning["code"] == "lagging"
            state = Keys().session(session.of("ready")[0]["session"]).state
            received, covered = await queue.hmget(state, ["received", "committed"])
            assert int(received or 0) - int(covered or 0) <= (LAG_HIGH_S + 1) * 16_000
            metrics = await asyncio.to_thread(httpx.get, f"{own.url}/metrics")
            assert "steno_edge_lagging_sessions 1.0" in metrics.text
            assert 'steno_edge_warnings_total{code="lagging"} 1.0' in metrics.text
            assert len(session.of("warning")) == 1
        finally:
            own.processes["worker"].send_signal(signal.SIGCONT)
        await sending
        await session.say("end")
        assert await session.until_closed() == (1000, "")
    assert session.messages[-1]["duration"] == pytest.approx(9 * len(TALK) / 32000, abs=0.01)
    assert {m["code"] for m in session.of("warning")} == {"lagging"}


@asynccontextmanager
async def slow_reader(own: Service) -> AsyncGenerator[RawSession]:
    """A client that reads one message and takes little more into its buffers."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", own.port))
    async with open_socket(f"{own.ws_url}/v1/stream", sock=raw, max_queue=1, close_timeout=0.1) as opened:
        yield RawSession(opened)


@pytest.mark.slow
async def test_a_client_that_does_not_read_is_cut_off_and_gets_the_rest_when_it_resumes(
    own: Service, queue: AsyncRedis
) -> None:
    log = SessionLog(queue, Keys(), resume_s=RESUME_S)
    async with slow_reader(own) as slow:
        ready = await slow.until("ready")
        for _ in range(FLOOD):
            await log.warn(ready["session"], Warning(code="flood", message="x" * 8000))
        await eventually(lambda: cut_off(own))
    query = {"session": ready["session"], "token": ready["token"], "after": "1"}
    async with raw_session(own.ws_url, **query) as again:
        async with asyncio.timeout(60):
            while len(again.of("warning")) < FLOOD:
                await again.until("warning")
        await again.say("end")
        assert await again.until_closed() == (1000, "")
    numbers = [m["seq"] for m in again.of("warning")]
    assert numbers == sorted(set(numbers))


async def cut_off(own: Service) -> bool:
    """Whether a connection was closed so that its client resumes."""
    text = (await asyncio.to_thread(httpx.get, f"{own.url}/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("steno_edge_connections_cut_off_total")]
    return float(lines[0].split()[1]) > 0


async def test_a_session_behind_too_many_others_is_refused_at_the_door(
    own: Service, queue: AsyncRedis
) -> None:
    """As HTTP to programs; as a message to browsers, which can't see the other."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(raw_session(own.ws_url)) for _ in range(WAITING_MAX + 1)]
        for session in opened:
            await session.until("ready")
        log = SessionLog(queue, Keys(), resume_s=RESUME_S)
        await eventually(lambda: are_waiting(log, WAITING_MAX))
        await eventually(lambda: is_full(own))  # the worker says once a second how many it has
        with pytest.raises(InvalidStatus) as refused:
            async with raw_session(own.ws_url):
                pytest.fail("there is no room")
        reply = refused.value.response
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "20")
        with pytest.raises(NoCapacity) as caught:
            async with connect(own.ws_url):
                pytest.fail("there is no room")
        assert caught.value.retry_after_s == 20.0
        async with open_socket(f"{own.ws_url}/v1/stream", origin="http://page") as browser:  # type: ignore[arg-type]
            page = RawSession(browser)
            assert await page.until_closed() == (1013, "no_capacity")
        assert page.messages[0]["retry_after_s"] == 20.0
        metrics = await asyncio.to_thread(httpx.get, f"{own.url}/metrics")
        assert 'steno_edge_refused_total{code="no_capacity"} 3.0' in metrics.text
        for session in opened:
            await session.say("end")
        assert {(await session.until_closed())[0] for session in opened} == {1000}


async def test_where_the_device_would_not_keep_up_with_more_nobody_is_let_in(tmp_path: Path) -> None:
    """By what its sessions cost, however many more the worker might take."""
    settings = {"worker_load_max": "0.0001", "threads": "1"}
    with Service.running(tmp_path, engine="scripted", modules=("api", "worker"), **settings) as tight:
        async with raw_session(tight.ws_url) as first:
            await first.audio(TALK)
            await eventually(lambda: is_full(tight))
            (worker,) = await asyncio.to_thread(tight.workers)
            assert worker.active < worker.capacity
            with pytest.raises(NoCapacity) as refused:
                async with connect(tight.ws_url):
                    pytest.fail("there is no room")
            assert "keeps up" in refused.value.message
            await first.say("end")
            assert await first.until_closed() == (1000, "")


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not await is_so():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.05)


async def are_waiting(log: SessionLog, count: int) -> bool:
    """Whether so many sessions have no worker."""
    return await log.waiting() == count


async def is_full(own: Service) -> bool:
    """Whether no worker would take a session."""
    reply = await asyncio.to_thread(httpx.get, f"{own.url}/readyz")
    return reply.status_code == 503 and reply.json()["reason"] == "no worker has room"
