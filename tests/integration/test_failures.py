"""Parts of the service die while people speak."""

import asyncio
import signal
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from shared.redis.keys import Keys
from tests.conftest import leaked_keys
from tests.support.live import RawSession, raw_session, transcribe
from tests.support.redis_client import client_of
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken("en_quilter", "en_wizard", "en_quilter")
WAIT_S_MAX = 30.0


@pytest.fixture
def own(tmp_path: Path) -> Generator[Service]:
    """A service that the test may break."""
    with Service.running(
        tmp_path, engine="scripted", modules=("api", "worker"), lease_s="0.5", resume_s="2", queue_s="2"
    ) as running:
        yield running
        assert leaked_keys(running.redis_url) == []


async def half(session: RawSession) -> None:
    """Send the first half, and wait until something was said."""
    await session.audio(TALK[: len(TALK) // 2])
    await session.until("final")


async def rest(session: RawSession) -> None:
    """Send the second half and receive to the end."""
    await session.audio(TALK[len(TALK) // 2 :])
    await session.say("end")
    assert (await session.until_closed())[0] == 1000


async def test_a_killed_worker_is_followed_without_a_lost_or_doubled_word(own: Service) -> None:
    undisturbed = await transcribe(own.ws_url, TALK)
    async with raw_session(own.ws_url) as session:
        await half(session)
        own.start("worker", name="second")
        own.end("worker", signal.SIGKILL)
        await rest(session)
    assert session.transcript == undisturbed.transcript
    assert [m["utterance"] for m in session.of("final")] == list(range(len(session.of("final"))))
    numbers = [m["seq"] for m in session.messages]
    assert numbers == sorted(set(numbers))


async def test_a_stopped_worker_hands_its_sessions_over(own: Service) -> None:
    undisturbed = await transcribe(own.ws_url, TALK)
    async with raw_session(own.ws_url) as session:
        await half(session)
        own.start("worker", name="second")
        assert own.end("worker", signal.SIGTERM) == 0
        await rest(session)
    assert session.transcript == undisturbed.transcript


async def test_a_worker_that_slept_through_its_lease_drops_the_session(own: Service) -> None:
    undisturbed = await transcribe(own.ws_url, TALK)
    async with raw_session(own.ws_url) as session:
        await half(session)
        own.start("worker", name="second")
        own.processes["worker"].send_signal(signal.SIGSTOP)
        await rest(session)
        own.processes["worker"].send_signal(signal.SIGCONT)
    assert session.transcript == undisturbed.transcript
    assert len(session.of("closed")) == 1


async def test_without_a_worker_a_session_is_refused_with_a_time_to_come_back(own: Service) -> None:
    own.end("worker", signal.SIGTERM)
    await asyncio.to_thread(own.wait_until_workers, 0)
    assert await not_ready(own) == "no worker lives"
    async with raw_session(own.ws_url) as session:
        assert (await session.until_closed())[0] == 1013
    error = session.messages[-1]
    assert (error["code"], error["retryable"], error["retry_after_s"]) == ("no_capacity", True, 2.0)


async def test_a_client_that_hung_up_leaves_nothing_behind(own: Service) -> None:
    async with raw_session(own.ws_url) as session:
        await half(session)
        session.socket.transport.abort()
    async with client_of(own.redis_url) as redis:
        async with asyncio.timeout(WAIT_S_MAX):
            while await redis.xlen(Keys().queue(0)):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.05)
        assert [key async for key in redis.scan_iter(match="*:audio")] == []


async def test_redis_that_lost_its_data_ends_the_session_with_an_error_and_serves_the_next(
    own: Service,
) -> None:
    async with raw_session(own.ws_url) as session:
        await half(session)
        await asyncio.to_thread(own.restart_redis)
        sender = asyncio.create_task(speak_on(session))
        code, _ = await session.until_closed()
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
    assert (code, session.messages[-1]["type"]) in ((1013, "error"), (1011, "error"))
    assert session.messages[-1]["retryable"]
    own.wait_until_ready()
    assert (await transcribe(own.ws_url, TALK)).of("final")


@pytest.mark.slow
async def test_a_redis_that_stays_away_is_said(own: Service) -> None:
    own.redis.kill()
    assert await not_ready(own) == "Redis does not answer"
    assert (await asyncio.to_thread(httpx.get, f"{own.url}/healthz")).status_code == 200
    async with raw_session(own.ws_url) as session:
        code, _ = await session.until_closed()
    assert (code, session.messages[-1]["code"]) == (1013, "broker_lost")
    own.redis.restart()
    own.wait_until_ready()


async def not_ready(own: Service) -> str:
    """Why no session would be served now."""
    reply = await asyncio.to_thread(httpx.get, f"{own.url}/readyz")
    assert reply.status_code == 503, reply.text
    return reply.json()["reason"]


async def speak_on(session: RawSession) -> None:
    """Go on sending until cancelled, or the socket is closed."""
    while True:
        await session.audio(b"\0" * 6400)
        await asyncio.sleep(0.05)
