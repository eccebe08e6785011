"""Whose decode is next is decided by the session's tenant: from its configuration in Redis to the device."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.events import Limits, Ready, SessionConfig
from shared.redis.connection import AsyncRedis, connect
from shared.redis.keys import Keys
from shared.redis.leases import LeaseBook
from shared.redis.sessions import Mark, SessionLog
from shared.tasks import end_tasks
from tests.support.marked import talk
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.core.effects import SessionOptions
from worker.device import Device
from worker.engine.api import EngineOptions
from worker.engine.scripted import MARKS, ScriptedEngine
from worker.engine.silero import SileroVad
from worker.intake import Intake, IntakeParts
from worker.rules import LibraryRules
from worker.session_runner import RunnerParts

pytestmark = pytest.mark.anyio

KEYS = Keys()
CROWD = 6
CHUNK_BYTES = 12_800
WAIT_S_MAX = 60.0


class OneByOne(ScriptedEngine):
    """Decodes nothing before it may, then one at a time, and notes which session was heard."""

    def __init__(self) -> None:
        super().__init__(EngineOptions(model=MARKS, path=None, device="cpu", threads=1))
        self.may_go_on = threading.Event()
        self.heard: list[int] = []

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, parallel=1, batch_max=1)

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        assert self.may_go_on.wait(WAIT_S_MAX)
        results = super().decode(batch)
        self.heard += [int(result.text.split()[0][1:]) // 1000 for result in results if result.text]
        return results


class Counting(Device):
    """Knows who has asked."""

    def __init__(self, engine: OneByOne) -> None:
        super().__init__(engine)
        self.asked: set[str] = set()

    def offer(self, key: str, *arguments: object, **options: object) -> None:
        self.asked.add(key)
        super().offer(key, *arguments, **options)  # type: ignore[arg-type]


async def say(log: SessionLog, number: int, tenant: str) -> str:
    """A session that has said all, as an edge would write it."""
    session, said = f"5e551{number:03}", talk(number, clips=("en_quilter",)).pcm16
    config = SessionConfig(tenant=tenant, partials=False, language="en")
    limits = Limits(message_bytes_max=1, session_s_max=1, resume_s=1)
    await log.open(session, "t", config, Ready(session=session, token="t", model="", limits=limits))
    for at in range(0, len(said), CHUNK_BYTES):
        await log.append(session, at // 2, said[at : at + CHUNK_BYTES])
    await log.mark(session, len(said) // 2, Mark.END)
    return session


def worker(client: AsyncRedis, device: Device) -> Intake:
    book = LeaseBook(client, KEYS, consumer="w", lease_s=WAIT_S_MAX)
    parts = RunnerParts(
        book, device, SileroVad, SessionOptions(), LibraryRules(), lease_s=WAIT_S_MAX, alone_s=WAIT_S_MAX
    )
    return Intake(IntakeParts(book, parts, capacity=CROWD + 1))


async def until_all(device: Counting, sessions: set[str]) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while device.asked < sessions:  # noqa: ASYNC110 - other tasks ask
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("tenants", [("large", "small"), ("one", "one")], ids=["two tenants", "one tenant"])
async def test_a_session_of_another_tenant_does_not_wait_for_the_whole_crowd(
    redis: AsyncRedis, redis_url: str, tenants: tuple[str, str]
) -> None:
    """Within one tenant who asked last is last; where it is alone with its tenant, it comes at once."""
    log, client, engine = SessionLog(redis, KEYS, resume_s=60), connect(redis_url), OneByOne()
    device = Counting(engine)
    intake = worker(client, device)
    taking = asyncio.create_task(intake.take_sessions_forever(0))
    try:
        crowd = {await say(log, number, tenants[0]) for number in range(CROWD)}
        await until_all(device, crowd)
        last = await say(log, CROWD, tenants[1])
        await until_all(device, crowd | {last})
        engine.may_go_on.set()
        async with asyncio.timeout(WAIT_S_MAX):
            while len(set(engine.heard)) <= CROWD:  # noqa: ASYNC110 - decoded in a thread
                await asyncio.sleep(0.02)
    finally:
        engine.may_go_on.set()
        await end_tasks([taking])
        await intake.hand_over()
        await device.close()
        await client.aclose()
    order = list(dict.fromkeys(engine.heard))
    # One decode ran before it had asked.
    assert order.index(CROWD) == (1 if tenants[0] != tenants[1] else CROWD)
