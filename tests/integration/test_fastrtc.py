"""Steno under FastRTC, called by an aiortc peer on this machine: real speech through Opus to text."""

import asyncio
from collections.abc import Generator
from importlib import import_module
from typing import Any

import httpx
import pytest

from assistant import STTEngine
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.fastrtc_peer import Offer, Peer, calling
from tests.support.service import Service
from tests.support.sound import pcm16, silence

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.fastrtc,
    pytest.mark.model,
    # Gradio's own, about itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SPOKEN = clip("en_quilter")
TALK = pcm16(silence(0.4), SPOKEN.samples(), silence(1.5))
WER_MAX = 0.1


@pytest.fixture(scope="module")
def here() -> Generator[STTEngine]:
    """An engine that decodes in this process."""
    with STTEngine("faster", model="tiny.en", device="cpu") as engine:
        engine.warmup()
        yield engine


@pytest.fixture
def there(english: Service) -> Generator[STTEngine]:
    """One that asks a service."""
    with STTEngine("remote", url=english.ws_url, language="en") as engine:
        yield engine


def door(app: Any) -> Offer:
    """Where the application takes offers."""

    async def offer(body: dict[str, Any]) -> dict[str, Any]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
            answer = (await http.post("/webrtc/offer", json=body)).json()
        assert "sdp" in answer, answer
        return answer

    return offer


async def spoken_to(engine: STTEngine) -> Peer:
    echo = import_module("assistant.echo")
    async with calling(door(echo.make_app(engine)), TALK) as peer:
        await peer.until(lambda p: any(event["text"] for event in p.events("final")))
        await peer.until(lambda p: len(p.heard) > 50)
    return peer


def check_live(peer: Peer) -> None:
    finals = " ".join(event["text"] for event in peer.events("final"))
    assert wer(SPOKEN.text, finals) <= WER_MAX
    partials = peer.events("partial")
    assert partials
    for event in partials:
        settled = event["text"][: event["committed"]]
        final = next(f for f in peer.events("final") if f["utterance"] == event["utterance"])
        assert final["text"].startswith(settled)
    order = [m["data"]["type"] for m in peer.messages if m["type"] == "steno"]
    assert order.index("partial") < order.index("final")
    said = [m["data"] for m in peer.messages if m["type"] == "reply"]
    assert said == [f"You said: {f['text']}" for f in peer.events("final") if f["text"]]


async def test_the_echo_bot_shows_what_is_said_and_says_it_back(here: STTEngine) -> None:
    check_live(await spoken_to(here))


async def test_a_service_decodes_for_the_same_application(there: STTEngine) -> None:
    check_live(await spoken_to(there))


async def test_an_utterance_is_handed_over_whole_at_the_pause(here: STTEngine) -> None:
    fastrtc = import_module("assistant.fastrtc")
    app, heard = import_module("fastapi").FastAPI(), asyncio.Queue[str]()
    loop = asyncio.get_running_loop()

    def reply(text: str, audio: Any) -> Generator[Any]:
        loop.call_soon_threadsafe(heard.put_nowait, text)
        yield audio

    fastrtc.rtc_stream(fastrtc.on_pause(here, reply)).mount(app)
    texts: list[str] = []
    async with calling(door(app), TALK) as peer, asyncio.timeout(60):
        while wer(SPOKEN.text, " ".join(texts)) > WER_MAX:
            texts.append(await heard.get())
        await peer.until(lambda p: len(p.heard) > 20)


async def test_a_page_that_hangs_up_ends_its_session(here: STTEngine) -> None:
    """What was said last is still heard; a second call finds an engine with nothing left."""
    fastrtc = import_module("assistant.fastrtc")
    events: list[Any] = []
    closed = asyncio.Event()

    def keep(event: Any) -> None:
        events.append(event)
        if event.type == "closed":
            closed.set()

    app = import_module("fastapi").FastAPI()
    fastrtc.rtc_stream(fastrtc.LiveHandler(here, on_event=keep)).mount(app)
    async with calling(door(app), TALK) as peer:
        await peer.until(lambda p: bool(p.events("speech_start")))
    async with asyncio.timeout(30):
        await closed.wait()
    assert [event.type for event in events][-2:] == ["final", "closed"]


async def test_a_failed_session_is_told_to_the_page() -> None:
    fastrtc = import_module("assistant.fastrtc")
    with STTEngine("remote", url="ws://127.0.0.1:1") as engine:
        app = import_module("fastapi").FastAPI()
        fastrtc.rtc_stream(fastrtc.LiveHandler(engine)).mount(app)
        async with calling(door(app), TALK) as peer:
            await peer.until(lambda p: bool(p.events("error")))
            (error,) = peer.events("error")
            assert error["code"] == "connection_lost"
            await peer.until(lambda p: any(m["type"] == "end_stream" for m in p.messages))


def test_pauses_are_told_from_speech_at_any_rate() -> None:
    fastrtc = import_module("assistant.fastrtc")
    pauses = fastrtc.Pauses()
    pauses.warmup()
    speech_s, spans = pauses.vad((16_000, SPOKEN.samples()), None)
    assert 0.5 * SPOKEN.duration_s < speech_s <= SPOKEN.duration_s + 0.1
    assert speech_s == pytest.approx(sum(s["end"] - s["start"] for s in spans) / 16_000)
    fast = import_module("soxr").resample(SPOKEN.samples(), 16_000, 48_000)
    assert pauses.vad((48_000, (fast * 32767).astype("int16")))[0] == pytest.approx(speech_s, abs=0.3)
    assert pauses.vad((48_000, (silence(0.6) * 32767).astype("int16")))[0] == 0.0
