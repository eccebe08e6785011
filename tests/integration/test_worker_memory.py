"""What a worker keeps of sessions that are over: nothing, and it does not take Python's collector of cycles.
That one looks through everything so rarely that a hundred sessions with their audio would wait for it."""

import asyncio
import contextlib
import gc

import pytest

from shared.events import Limits, Ready, SessionConfig
from shared.redis.connection import AsyncRedis, connect
from shared.redis.keys import Keys
from shared.redis.sessions import Mark, SessionLog
from shared.settings import Settings
from tests.support.speech import spoken
from worker.app import WorkerApp
from worker.core.buffer import AudioBuffer
from worker.engine.api import EngineOptions
from worker.engine.scripted import ScriptedEngine
from worker.session_runner import SessionRunner

pytestmark = pytest.mark.anyio

SESSIONS = 3
CHUNK_BYTES = 12_800
WAIT_S_MAX = 60.0
LEAVE_S_MAX = 5.0


async def speak(log: SessionLog, redis: AsyncRedis, session: str) -> None:
    """A whole session, as an edge would write it."""
    said = spoken()
    limits = Limits(message_bytes_max=1, session_s_max=1, resume_s=1)
    await log.open(session, "t", SessionConfig(), Ready(session=session, token="t", model="", limits=limits))
    for at in range(0, len(said), CHUNK_BYTES):
        await log.append(session, at // 2, said[at : at + CHUNK_BYTES])
    await log.mark(session, len(said) // 2, Mark.END)
    async with asyncio.timeout(WAIT_S_MAX):
        while await redis.hget(Keys().session(session).state, "status") == b"open":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def kept() -> list[object]:
    """Sessions, and their audio, that are still somewhere in this process."""
    return [thing for thing in gc.get_objects() if isinstance(thing, SessionRunner | AudioBuffer)]


async def test_nothing_of_a_session_waits_for_the_collector(redis: AsyncRedis, redis_url: str) -> None:
    options = EngineOptions(
        model="base", path=None, multilingual=True, device="cpu", compute_type="none", threads=1
    )
    own = connect(redis_url)
    stop = asyncio.Event()
    settings = Settings(redis_url=redis_url, engine="scripted")
    working = asyncio.create_task(WorkerApp(own, ScriptedEngine(options), settings).run(stop))
    gc.collect()
    gc.disable()
    try:
        for number in range(SESSIONS):
            await speak(SessionLog(redis, Keys(), resume_s=30), redis, f"5e551{number:03}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S_MAX):
                while kept():  # noqa: ASYNC110 - a session is settled a moment before its tasks have ended
                    await asyncio.sleep(0.05)
        assert kept() == []
    finally:
        gc.enable()
        stop.set()
        await working
        await own.aclose()
