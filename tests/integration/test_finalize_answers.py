"""`finalize` and its answer, through the whole service."""

import json
import signal
from pathlib import Path

import pytest

from client.stream import connect
from shared.events import Final, Finalized
from tests.support.live import raw_session
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)


async def test_every_finalize_is_answered_in_order(service: Service) -> None:
    async with raw_session(service.ws_url) as session:
        await session.socket.send(json.dumps({"type": "finalize", "id": "nothing yet"}))
        await session.audio(TALK[: 32000 * 2])
        await session.socket.send(json.dumps({"type": "finalize", "id": "speech"}))
        await session.say("finalize")
        await session.audio(pcm16(silence(1)))
        await session.say("finalize")
        await session.say("end")
        assert (await session.until_closed())[0] == 1000
    said = session.of("finalized")
    assert [(m["number"], m["id"]) for m in said] == [(1, "nothing yet"), (2, "speech"), (3, ""), (4, "")]
    assert [m["covered"] for m in said] == [0.0, 2.0, 2.0, 3.0]
    assert [m["utterances"] for m in said] == [0, 1, 1, 1]
    final = session.of("final")[0]
    assert said[0]["seq"] < final["seq"] < said[1]["seq"]


async def test_the_client_library_hears_the_answer(service: Service) -> None:
    async with connect(service.url) as session:
        await session.send(TALK[: 32000 * 2])
        number = await session.finalize("mine")
        events = []
        async for event in session:
            events.append(event)
            if isinstance(event, Finalized):
                break
    assert (event.number, event.id) == (number, "mine")
    assert isinstance(events[-2], Final)


async def test_a_finalize_whose_worker_dies_is_answered_once(tmp_path: Path) -> None:
    with Service.running(tmp_path, engine="scripted", modules=("api", "worker"), lease_s="0.5") as own:
        async with raw_session(own.ws_url) as session:
            await session.audio(TALK[: 32000 * 2])
            await session.say("finalize")
            await session.until("finalized")
            own.processes["worker"].send_signal(signal.SIGSTOP)
            await session.audio(TALK[32000 * 2 :])
            await session.say("finalize")
            own.start("worker", name="second")
            await session.until("finalized")
            own.end("worker", signal.SIGKILL)
            await session.say("end")
            assert (await session.until_closed())[0] == 1000
    assert [m["number"] for m in session.of("finalized")] == [1, 2]


async def test_a_flood_of_finalize_is_refused(service: Service) -> None:
    async with raw_session(service.ws_url) as session:
        for _ in range(1001):
            await session.say("finalize")
        code, _ = await session.until_closed()
    assert code == 1008
    assert session.messages[-1]["code"] == "bad_message"
    assert len(session.of("finalized")) <= 1000
