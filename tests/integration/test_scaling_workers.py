"""From one worker to three while people speak, and back to one: who comes then goes to the new ones at once,
and no word is lost."""

import asyncio
import signal
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from tests.conftest import leaked_keys
from tests.support.live import RawSession
from tests.support.marked import Talk, talk
from tests.support.service import Service
from tests.support.talking import check, speak, until_held

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PACE = 2.0
"""Times real time."""
EACH = 4
"""Sessions that speak before, and that come after."""
PAUSE_BYTES = 3 * 32_000
"""What each has said when it waits for the others: nobody is done before all are held, on any machine."""
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


async def test_from_one_worker_to_three_and_back(own: Service) -> None:
    talks = [talk(n) for n in range(2 * EACH)]
    held = asyncio.Event()

    def begin(some: Sequence[Talk]) -> list[asyncio.Task[RawSession]]:
        return [
            asyncio.create_task(speak(own, said, pace=PACE, pause_bytes=PAUSE_BYTES, rest=held))
            for said in some
        ]

    speaking = begin(talks[:EACH])
    (first,) = await until_held(own, EACH)

    for name in ("second", "third"):
        own.start("worker", name=name)
    await asyncio.to_thread(own.wait_until_workers, 3)
    speaking += begin(talks[EACH:])
    spread = await until_held(own, 2 * EACH)
    held.set()
    assert spread == {first: EACH} | {worker: EACH // 2 for worker in spread if worker != first}
    assert len(spread) == 3, "who comes goes to the workers that have nothing to do"

    for name in ("second", "third"):
        assert await asyncio.to_thread(own.end, name, signal.SIGTERM) == 0
    check(await asyncio.gather(*speaking), talks)
    lines = own.log.read_text().splitlines()
    assert not [line for line in lines if "went to another worker" in line], "handed over, not lost"
