"""The clock of Redis's machine is set while people speak. The clocks of edges and workers don't matter: they
use monotonic ones."""

import asyncio
import signal
from collections.abc import Generator

import pytest

from tests.support.clock import Clock, can_leap
from tests.support.live import RawSession, raw_session
from tests.support.marked import talk
from tests.support.service import Service
from tests.support.talking import say

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(not can_leap(), reason="no libfaketime here"),
]

RESUME_S = 6.0
PACE = 5.0


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Generator[Service]:
    """A service whose Redis has a clock of its own."""
    with Service.running(
        tmp_path_factory.mktemp("leaps"),
        engine="scripted",
        model="marks",
        modules=("api", "worker"),
        redis_environment=clock.environment,
        resume_s=str(RESUME_S),
        lease_s="0.5",
    ) as running:
        running.start("worker", name="second")
        running.wait_until_workers(2)
        yield running


async def until_heard(session: RawSession) -> None:
    """Wait for the first text."""
    while not session.of("partial"):  # noqa: ASYNC110 - it is received by `say`
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("leap_s", [500.0, -500.0])
async def test_a_leap_of_the_clock_costs_no_word(own: Service, clock: Clock, leap_s: float) -> None:
    said = talk(1)
    async with raw_session(own.ws_url) as session:
        speaking = asyncio.create_task(say(session, said, pace=PACE))
        await until_heard(session)
        clock.leap(leap_s)
        await speaking
    assert session.transcript.split() == list(said.words)
    assert session.messages[-1]["type"] == "closed"
    assert session.messages[-1]["reason"] == "end"


async def test_a_worker_that_dies_after_a_leap_back_is_replaced(own: Service, clock: Clock) -> None:
    said = talk(2)
    async with raw_session(own.ws_url) as session:
        speaking = asyncio.create_task(say(session, said, pace=PACE))
        await until_heard(session)
        clock.leap(-3600.0)
        renewed = len(session.messages)
        while len(session.messages) < renewed + 2:  # noqa: ASYNC110 - its owner has renewed the lease by then
            await asyncio.sleep(0.05)
        own.end("worker", signal.SIGKILL)
        own.start("worker", name="third")
        await speaking
    assert session.transcript.split() == list(said.words)


async def test_new_sessions_find_a_worker_after_a_leap_back(own: Service, clock: Clock) -> None:
    clock.leap(-3600.0)
    said = talk(3)
    async with raw_session(own.ws_url) as session:
        await say(session, said, pace=PACE)
    assert session.transcript.split() == list(said.words)
