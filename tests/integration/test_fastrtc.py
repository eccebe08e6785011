"""Steno under FastRTC, called by an aiortc peer on this machine: real speech through Opus to text."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from importlib import import_module
from typing import Any

import httpx
import numpy as np
import pytest

from assistant import STTEngine
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.encodings import encoded
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
TWO_UTTERANCES = pcm16(
    SPOKEN.samples()[:32_000], silence(1.2), clip("en_wizard").samples()[:32_000], silence(1.0)
)
WER_MAX = 0.1
RATE = 48_000


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


class Counted:
    """A detector of what is not zero."""

    def vad(self, audio: tuple[int, np.ndarray], options: object) -> tuple[float, list[dict[str, int]]]:
        rate, samples = audio
        return np.count_nonzero(samples) / rate, []

    def warmup(self) -> None: ...


def packets(samples: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """As FastRTC hands them over."""
    return [(RATE, samples[None, at : at + 960]) for at in range(0, len(samples), 960)]


def test_the_beginning_of_the_first_word_is_kept() -> None:
    """FastRTC's own handler begins with the piece of 0.6 s that has enough speech in it, and drops what was
    said at the end of the one before."""
    library, ours = import_module("fastrtc"), import_module("assistant.fastrtc")
    loud, quiet = np.full(RATE, 1000, np.int16), np.zeros(RATE, np.int16)
    talk = np.concatenate([quiet[:21_600], loud[:36_000], quiet])  # 0.15 s before the border, 0.6 s behind it
    kept_s: dict[object, float] = {}
    for kind in (library.ReplyOnPause, ours.OnPause):
        handler = kind(lambda audio: iter(()), model=Counted(), can_interrupt=False).copy()
        assert type(handler) is kind
        handler.send_message_sync = lambda message: None
        for packet in packets(talk):
            handler.receive(packet)
            if handler.event.is_set():
                break
        kept_s[kind] = np.count_nonzero(handler.state.stream) / RATE
    assert kept_s == {library.ReplyOnPause: 0.6, ours.OnPause: 0.75}


class Channel:
    """A data channel that keeps what is sent."""

    readyState = "open"  # noqa: N815 - its name in WebRTC

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, message: str) -> None:
        self.sent.append(json.loads(message))


async def test_who_begins_to_speak_interrupts_the_reply() -> None:
    live = import_module("assistant.fastrtc")
    said: list[str] = []

    async def endless(heard: Any) -> AsyncGenerator[Any]:
        said.append("begun")
        try:
            yield heard.audio
            await asyncio.Event().wait()
        finally:
            said.append("ended")

    with STTEngine("scripted", language="en") as engine:
        handler = live.LiveHandler(engine, reply=endless).copy()
        handler.set_channel(channel := Channel())
        running = asyncio.create_task(handler.start_up())
        for packet in packets(at_rate(TWO_UTTERANCES)):
            await handler.receive(packet)
        rate, samples = await until_emitted(handler)
        assert (rate, samples.dtype, samples.shape[0]) == (16_000, np.int16, 1)
        await handler.shutdown()
        assert running.done()
    kinds = [message["data"]["type"] for message in channel.sent if message["type"] == "steno"]
    assert kinds.count("final") == kinds.count("speech_start") >= 2
    assert said == ["begun", "ended"] * kinds.count("final")


async def until_emitted(handler: Any) -> Any:
    async with asyncio.timeout(30):
        while (item := await handler.emit()) is None:
            pass
    return item


def at_rate(pcm16: bytes) -> np.ndarray:
    return np.frombuffer(encoded(pcm16, "pcm16", RATE, 1), "<i2")


async def test_audio_that_nobody_takes_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    live = import_module("assistant.fastrtc")
    with STTEngine("scripted") as engine:
        handler = live.LiveHandler(engine)
        for packet in packets(np.ones(15 * RATE, np.int16)):
            await handler.receive(packet)
        await handler.shutdown()
    assert handler._waiting.full()
    assert caplog.text.count("audio is left out") == 1
