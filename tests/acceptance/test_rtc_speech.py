"""Real speech over WebRTC with real weights: what is understood is what is understood over the WebSocket."""

import asyncio
import random
from collections.abc import Generator
from typing import Any

import pytest

pytest.importorskip("aiortc")

from bench.rtc_peer import rtc_session, use_loopback
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.live import transcribe
from tests.support.service import Service, free_port
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow]

NAMES = ("en_quilter", "en_stew")
REFERENCE = " ".join(clip(name).text for name in NAMES)
TALK = spoken(*NAMES)
LENGTH_S = len(TALK) / 32_000


@pytest.fixture(scope="module")
def rtc(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    use_loopback()
    folder = tmp_path_factory.mktemp("rtc-speech")
    with Service.running(folder, modules=("api", "worker"), rtc_port=str(free_port())) as running:
        yield running


async def heard(rtc: Service, *, loss: float = 0.0) -> tuple[str, list[dict[str, Any]], float]:
    """Text, finals and length of the talk; `loss` is the part of the packets that the network loses."""
    draw = random.Random(7)
    async with rtc_session(
        rtc.url + "/v1/rtc", query={"language": "en", "words": "true"}, speed=3
    ) as session:
        transport = session.peer.sctp.transport
        send = transport._send_rtp

        async def lossy(data: bytes) -> None:
            if draw.random() >= loss:
                await send(data)

        transport._send_rtp = lossy
        session.microphone.put(TALK)
        await session.microphone.spoken()
        session.say("end")
        closed = await session.until("closed")
        return session.transcript, session.of("final"), closed["duration"]


async def test_it_is_understood_as_over_the_websocket(rtc: Service) -> None:
    (text, finals, length_s), native = await asyncio.gather(
        heard(rtc), transcribe(rtc.ws_url, TALK, language="en")
    )
    assert wer(REFERENCE, text) <= 0.12
    assert wer(native.transcript, text) <= 0.05
    assert length_s == pytest.approx(LENGTH_S, abs=0.1)
    for mine, theirs in zip(finals, native.of("final"), strict=True):
        assert mine["start"] == pytest.approx(theirs["start"], abs=0.2)
        assert mine["end"] == pytest.approx(theirs["end"], abs=0.5)


async def test_a_network_that_loses_packets_moves_no_times(rtc: Service) -> None:
    text, finals, length_s = await heard(rtc, loss=0.05)
    assert length_s == pytest.approx(LENGTH_S, abs=0.2)
    assert wer(REFERENCE, text) <= 0.25
    assert finals[-1]["end"] == pytest.approx(LENGTH_S, abs=2.0)
