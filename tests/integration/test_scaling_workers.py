"""From one worker to three while people speak, and back to one: who comes then goes to the new ones at once,
and no word is lost."""

import asyncio
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from shared.redis.keys import GROUP, Keys
from tests.conftest import leaked_keys
from tests.support.live import RawSession, raw_session
from tests.support.marked import Talk, talk
from tests.support.redis_client import client_of
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PACE = 2.0
"""Times real time."""
EACH = 4
"""Sessions that speak before, and that come after."""
WAIT_S_MAX = 60.0
LEASE_S = "20"
"""So that whatever moves was handed over, and nothing taken over."""


@pytest.fixture
def own(tmp_path: Path) -> Generator[Service]:
    settings = {"lease_s": LEASE_S, "drain_s": "2", "worker_sessions": "16"}
    with Service.running(
        tmp_path, engine="scripted", model="marks", modules=("api", "worker"), **settings
    ) as running:
        yield running
        assert leaked_keys(running.redis_url) == []


async def speak(service: Service, said: Talk) -> RawSession:
    """A whole session at a pace."""
    async with raw_session(service.ws_url) as session:
        hearing = asyncio.create_task(session.until_closed())
        for start in range(0, len(said.pcm16), 3200):
            await session.socket.send(said.pcm16[start : start + 3200])
            await asyncio.sleep(0.1 / PACE)
        await session.say("end")
        await hearing
    return session


async def held(service: Service, sessions: int) -> dict[str, int]:
    """Wait until so many sessions are held by workers; returns how many by each."""
    async with client_of(service.redis_url) as client, asyncio.timeout(WAIT_S_MAX):
        while True:
            pending = await client.xpending(Keys().queue(0), GROUP)
            if pending["pending"] == sessions:
                return {row["name"].decode(): row["pending"] for row in pending["consumers"]}
            await asyncio.sleep(0.02)


async def test_from_one_worker_to_three_and_back(own: Service) -> None:
    talks = [talk(n) for n in range(2 * EACH)]
    speaking = [asyncio.create_task(speak(own, said)) for said in talks[:EACH]]
    (first,) = await held(own, EACH)

    for name in ("second", "third"):
        own.start("worker", name=name)
    await asyncio.to_thread(own.wait_until_workers, 3)
    speaking += [asyncio.create_task(speak(own, said)) for said in talks[EACH:]]
    spread = await held(own, 2 * EACH)
    assert spread == {first: EACH} | {worker: EACH // 2 for worker in spread if worker != first}
    assert len(spread) == 3, "who comes goes to the workers that have nothing to do"

    for name in ("second", "third"):
        assert await asyncio.to_thread(own.end, name, signal.SIGTERM) == 0
    sessions = await asyncio.gather(*speaking)
    for session, said in zip(sessions, talks, strict=True):
        assert session.messages[-1]["type"] == "closed", session.messages[-1]
        assert session.transcript.split() == list(said.words)
        assert [m["seq"] for m in session.messages] == sorted({m["seq"] for m in session.messages})
    lines = own.log.read_text().splitlines()
    assert not [line for line in lines if "went to another worker" in line], "handed over, not lost"
