"""Workers are replaced, stopped and broken while people speak: nobody notices, or is told."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.redis.connection import connect_sync
from shared.redis.keys import Keys
from tests.conftest import leaked_keys
from tests.support.live import RawSession, raw_session, transcribe
from tests.support.marked import Talk, talk
from tests.support.redis_client import client_of
from tests.support.service import Service
from tests.support.speech import spoken
from tests.support.talking import check, speak, until_held
from worker.engine import marks

pytestmark = pytest.mark.anyio

PACE = 4.0
"""Times real time."""
WAIT_S_MAX = 60.0
FIRST_CLIP_BYTES = len(spoken("en_quilter"))


@pytest.fixture
def lease_s() -> float:
    """Time after which a worker counts as dead: the default, which a worker on a busy machine keeps."""
    return 1.5


@pytest.fixture
def own(tmp_path: Path, lease_s: float) -> Generator[Service]:
    """A service that the test may break."""
    settings = {"lease_s": str(lease_s), "drain_s": "20"}
    with Service.running(
        tmp_path, engine="scripted", model="marks", modules=("api", "worker"), **settings
    ) as running:
        yield running
        assert leaked_keys(running.redis_url) == []


@pytest.mark.parametrize("lease_s", [20.0])  # so that whatever moves was handed over
async def test_all_workers_and_the_model_are_replaced_one_by_one_and_no_session_notices(own: Service) -> None:
    own.start("worker", name="second")
    await asyncio.to_thread(own.wait_until_workers, 2)
    talks = [talk(n) for n in range(6)]
    all_replaced = asyncio.Event()
    speaking = [
        asyncio.create_task(speak(own, said, pace=PACE, pause_bytes=FIRST_CLIP_BYTES, rest=all_replaced))
        for said in talks
    ]
    held = await until_held(own, len(talks))
    assert len(held) == 2, "the load is spread over both workers"
    for name in ("worker", "second"):
        own.start("worker", name=f"{name} anew", environment={"STENO_MODEL": "marks anew"})
        await asyncio.to_thread(own.wait_until_workers, 3)
        assert await asyncio.to_thread(own.end, name, signal.SIGTERM) == 0
    assert not any(task.done() for task in speaking)
    assert {w.model for w in await asyncio.to_thread(own.workers)} == {"marks anew"}
    all_replaced.set()
    check(await asyncio.gather(*speaking), talks)
    lines = own.log.read_text().splitlines()
    assert not [line for line in lines if "went to another worker" in line], "handed over, not lost"


async def test_a_worker_asked_to_stop_waits_for_the_endpoint(own: Service) -> None:
    said = talk()
    async with raw_session(own.ws_url) as session:
        await session.audio(said.pcm16[: 32_000 * 3])
        await session.until("partial")
        own.start("worker", name="second")
        await asyncio.to_thread(own.wait_until_workers, 2)
        own.processes["worker"].send_signal(signal.SIGTERM)
        await asyncio.to_thread(own.wait_until_workers, 2, draining=1)
        await session.audio(said.pcm16[32_000 * 3 :])
        await session.until("final")
        assert await asyncio.to_thread(own.processes.pop("worker").wait, WAIT_S_MAX) == 0
        await session.say("end")
        await session.until_closed()
    check([session], [said])
    starts = [m["utterance"] for m in session.of("speech_start")]
    assert starts == sorted(set(starts))


async def test_a_second_signal_ends_the_wait(own: Service) -> None:
    said = talk()
    own.start("worker", name="second")
    await asyncio.to_thread(own.wait_until_workers, 2)
    async with raw_session(own.ws_url) as session:
        await session.audio(said.pcm16[: 32_000 * 3])
        await session.until("partial")
        (owner,) = await until_held(own, 1)
        name = await asyncio.to_thread(own.process_of, owner)
        own.processes[name].send_signal(signal.SIGTERM)
        await asyncio.to_thread(own.wait_until_workers, 2, draining=1)
        own.processes[name].send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(own.processes.pop(name).wait, WAIT_S_MAX) == 0
        await session.audio(said.pcm16[32_000 * 3 :])
        await session.say("end")
        await session.until_closed()
    check([session], [said])


@pytest.mark.parametrize("lease_s", [20.0])  # so that what moves was handed over
async def test_where_no_endpoint_comes_the_wait_ends_by_itself(own: Service) -> None:
    said = talk()
    drains = own.start("worker", name="drains", environment={"STENO_DRAIN_S": "1"})
    await asyncio.to_thread(own.wait_until_workers, 2)
    assert await asyncio.to_thread(own.end, "worker", signal.SIGTERM) == 0
    async with raw_session(own.ws_url) as session:
        await session.audio(said.pcm16[: 32_000 * 3])
        await session.until("partial")
        own.start("worker")
        await asyncio.to_thread(own.wait_until_workers, 2)
        drains.send_signal(signal.SIGTERM)
        # Nothing is sent meanwhile, so that the utterance does not end.
        assert await asyncio.to_thread(own.processes.pop("drains").wait, WAIT_S_MAX) == 0
        await session.audio(said.pcm16[32_000 * 3 :])
        await session.say("end")
        await session.until_closed()
    check([session], [said])
    assert "went to another worker" not in own.log.read_text()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        pytest.param(marks.CRASH, -signal.SIGABRT, marks=pytest.mark.slow),
        pytest.param(marks.DEVICE_FAULT, 70, marks=pytest.mark.slow),
    ],
)
async def test_a_session_that_breaks_its_workers_is_set_aside_and_the_others_go_on(
    own: Service, command: int, status: int
) -> None:
    deadly, harmless = talk(1, command=command), talk(2)
    async with supervised(own) as supervisor:
        killed, other = await asyncio.gather(speak_or_fail(own, deadly), speak(own, harmless, pace=PACE))
    statuses = supervisor.statuses
    assert [m["code"] for m in killed.of("error")] == ["engine_fault"]
    # On a busy machine a worker may die before it has said whom it had, and one more death is needed; or one
    # stalls for longer than its lease, which counts as a death.
    assert set(statuses) == {status}
    assert 2 <= len(statuses) <= 4
    check([other], [harmless])
    own.wait_until_ready()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_session_whose_decode_hangs_is_set_aside_and_the_others_go_on(own: Service) -> None:
    deadly, harmless = talk(1, command=marks.HANG), talk(2)
    async with supervised(own) as supervisor, raw_session(own.ws_url) as hung:
        sending = asyncio.create_task(hung.audio(deadly.pcm16))
        speaking = asyncio.create_task(
            speak(own, harmless, pace=PACE, pause_bytes=FIRST_CLIP_BYTES, rest=supervisor.died)
        )
        other = await speaking
        while not hung.of("error"):
            with contextlib.suppress(TimeoutError):  # each worker takes some 20 s to find that it hangs
                await hung.until("error")
        await sending
    assert [m["code"] for m in hung.of("error")] == ["engine_fault"]
    assert set(supervisor.statuses) == {70}
    check([other], [harmless])
    assert ": it hangs" in own.log.read_text()
    own.wait_until_ready()


@pytest.mark.slow
async def test_a_decode_that_fails_is_tried_again_before_its_session_is_set_aside(own: Service) -> None:
    failed, other = await asyncio.gather(
        speak_or_fail(own, talk(1, command=marks.FAULT)), speak(own, talk(2), pace=PACE)
    )
    (error,) = failed.of("error")
    assert (error["code"], error["retryable"]) == ("engine_fault", False)
    assert own.log.read_text().count("given back after a failed decode") >= 2
    check([other], [talk(2)])


@pytest.mark.parametrize(
    "bound",
    [{"recycle_rss_bytes": "1"}, {"recycle_h": "0.0001"}],
    ids=["size", "age"],
)
@pytest.mark.slow
async def test_a_worker_that_is_too_large_or_too_old_is_replaced_without_a_lost_word(
    tmp_path: Path, bound: dict[str, str]
) -> None:
    settings = bound | {"drain_s": "20", "queue_s": "60"}
    with Service.running(tmp_path, engine="scripted", model="marks", modules=("api",), **settings) as own:
        is_replaced = asyncio.Event()
        speaking = asyncio.create_task(
            speak(own, talk(), pace=PACE, pause_bytes=FIRST_CLIP_BYTES, rest=is_replaced)
        )
        async with client_of(own.redis_url) as client, asyncio.timeout(WAIT_S_MAX):
            while not await client.xlen(Keys().queue(0)):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.02)
        first: subprocess.Popen[bytes] = own.start("worker")  # it has the session before it looks at itself
        own.environment |= {f"STENO_{name.upper()}": "0" for name in bound}
        assert await asyncio.to_thread(first.wait, WAIT_S_MAX) == 0
        own.start("worker")
        is_replaced.set()
        check([await speaking], [talk()])
        assert "ends to be started anew" in own.log.read_text()


async def test_groups_are_made_again_after_a_flush(own: Service) -> None:
    await transcribe(own.ws_url, talk().pcm16)
    client = connect_sync(own.redis_url)
    client.flushall()
    client.close()
    session = await transcribe(own.ws_url, talk().pcm16)
    check([session], [talk()])


@dataclass
class Supervisor:
    """What it saw: how the worker ended each time."""

    statuses: list[int] = field(default_factory=list[int])
    died: asyncio.Event = field(default_factory=asyncio.Event)
    """Set from the first time on."""


@asynccontextmanager
async def supervised(own: Service) -> AsyncGenerator[Supervisor]:
    """Start the worker again whenever it ends."""
    supervisor, stop = Supervisor(), asyncio.Event()

    async def supervise() -> None:
        while not stop.is_set():
            if (ended := own.processes["worker"].poll()) is not None:
                supervisor.statuses.append(ended)
                own.start("worker")
                supervisor.died.set()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(supervise())
    try:
        yield supervisor
    finally:
        stop.set()
        await task


async def speak_or_fail(service: Service, said: Talk) -> RawSession:
    """Speak until the service ends the session."""
    async with raw_session(service.ws_url) as session:
        sending = asyncio.create_task(session.audio(said.pcm16))
        await session.until_closed()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return session
