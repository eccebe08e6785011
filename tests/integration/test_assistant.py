"""`STTEngine` in this process and at a service: the same promises, the same words."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from assistant import STTEngine, Text
from client import ConnectionLost, EngineFault, SessionOver, StreamOptions
from shared.audio.pcm import SAMPLE_RATE, pcm16_to_float
from shared.errors import BadParameter, DeviceFault, ModelUnavailable, UnknownModel
from shared.events import Final, Finalized
from shared.models import resolve
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.marked import talk
from tests.support.service import Service
from worker.engine import marks
from worker.engine.api import check_engine

pytestmark = pytest.mark.anyio

TALK = talk()
ENGLISH = StreamOptions(language="en")


@pytest.fixture(scope="module")
def marked_service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service that hears marks."""
    folder = tmp_path_factory.mktemp("marked")
    with Service.running(folder, engine="scripted", model="marks", modules=("api", "worker")) as running:
        yield running


@pytest.fixture(scope="module")
def here() -> Generator[STTEngine]:
    """One that decodes in this process."""
    with STTEngine("scripted", model="marks", language="en") as engine:
        yield engine


@pytest.fixture(scope="module", params=["here", "there"])
def engine(request: pytest.FixtureRequest) -> Generator[STTEngine]:
    """Both."""
    if request.param == "here":
        yield request.getfixturevalue("here")
        return
    service = request.getfixturevalue("marked_service")
    with STTEngine("remote", url=service.ws_url, language="en") as engine:
        yield engine


def spoken(pcm16: bytes = TALK.pcm16) -> tuple[int, np.ndarray]:
    return SAMPLE_RATE, pcm16_to_float(pcm16)


def pieces(seconds: float = 0.1) -> list[bytes]:
    step = 2 * round(seconds * SAMPLE_RATE)
    return [TALK.pcm16[at : at + step] for at in range(0, len(TALK.pcm16), step)]


def check_texts(texts: list[Text]) -> None:
    """What was settled stays, and at last all of it is there and settled."""
    settled = ""
    for text in texts:
        assert text.startswith(settled)
        settled = text[: text.committed]
    assert settled.split() == list(TALK.words)
    assert all(before != after or before.committed != after.committed for before, after in pairwise(texts))


def test_an_utterance_becomes_its_words(engine: STTEngine) -> None:
    assert engine.stt(spoken()).split() == list(TALK.words)


def test_silence_has_no_words(engine: STTEngine) -> None:
    assert engine.stt((48_000, np.zeros((1, 48_000), np.int16))) == ""
    assert engine.stt((16_000, np.zeros(0, np.float32))) == ""
    assert list(engine.stream(b"")) == []


def test_text_comes_while_the_audio_does(engine: STTEngine) -> None:
    shown = threading.Event()

    def speak() -> Generator[bytes]:
        for number, piece in enumerate(pieces()):
            if number == 40:  # 4 s
                assert shown.wait(60)
            yield piece

    texts: list[Text] = []
    for text in engine.stream(speak()):
        texts.append(text)
        shown.set()
    check_texts(texts)


def test_audio_that_is_there_gives_partials_too(here: STTEngine) -> None:
    texts = list(here.stream(TALK.pcm16))
    check_texts(texts)
    check_texts(list(here.stream(bytearray(TALK.pcm16))))
    assert len(texts) > TALK.duration_s  # an interval of 0.2 s


async def test_the_same_from_an_event_loop(engine: STTEngine) -> None:
    async def speak() -> AsyncGenerator[bytes]:
        for piece in pieces():
            yield piece
            await asyncio.sleep(0)

    assert (await engine.astt(spoken())).split() == list(TALK.words)
    check_texts([text async for text in engine.astream(speak())])
    check_texts([text async for text in engine.astream(pieces())])


async def test_a_live_session_has_all_events(engine: STTEngine) -> None:
    async with engine.live(ENGLISH) as session:
        for piece in pieces():
            await session.send(piece)
        number = await session.finalize("mine")
        await session.end()
        events = [event async for event in session]
        with pytest.raises(SessionOver):
            await session.send(b"\0\0")
    finals = [event.text for event in events if isinstance(event, Final)]
    assert " ".join(finals).split() == list(TALK.words)
    (done,) = [event for event in events if isinstance(event, Finalized)]
    assert (done.number, done.id) == (number, "mine")
    assert events[-1].type == "closed"
    assert session.transcript.finals == session.transcript.text


def test_many_speak_at_once(engine: STTEngine) -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: engine.stt(spoken()), range(8)))
    assert {tuple(text.split()) for text in texts} == {TALK.words}


def test_who_leaves_early_ends_the_session(here: STTEngine) -> None:
    ended = threading.Event()

    def speak() -> Generator[bytes]:
        try:
            while True:
                yield from pieces()
        finally:
            ended.set()

    chunks = speak()
    for text in here.stream(chunks):
        assert text
        break
    assert here.stt(spoken()).split() == list(TALK.words)
    assert not here._speech._sessions  # type: ignore[attr-defined]


def test_what_the_source_raises_is_raised(engine: STTEngine) -> None:
    def broken() -> Generator[bytes]:
        yield pieces()[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(engine.stream(broken()))


def test_a_closed_engine_says_so() -> None:
    engine = STTEngine("scripted")
    assert engine.chunk_s is None
    engine.warmup()
    assert engine.chunk_s == 0.2
    engine.close()
    engine.close()
    with pytest.raises(SessionOver, match="closed"):
        engine.stt(spoken())


@pytest.mark.parametrize("place", ["here", "there"])
def test_closing_lets_go_of_whoever_waits(place: str, request: pytest.FixtureRequest) -> None:
    there = {"url": request.getfixturevalue("marked_service").ws_url} if place == "there" else {}
    engine = STTEngine("remote" if there else "scripted", model="marks", language="en", **there)
    engine.warmup()
    began, never = threading.Event(), threading.Event()

    def speak() -> Generator[bytes]:
        yield from pieces()
        never.wait()

    def listen() -> None:
        for _ in engine.stream(speak()):
            began.set()

    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(listen)
        assert began.wait(60)
        engine.close()
        with pytest.raises(SessionOver, match="closed"):
            listening.result(60)
    never.set()


def test_an_interval_that_is_set_is_taken() -> None:
    with STTEngine("scripted", chunk_s=1.0) as engine:
        engine.warmup()
        assert engine.chunk_s == 1.0


async def test_what_this_engine_can_not_do_is_refused(here: STTEngine) -> None:
    for options, error in (
        (StreamOptions(language="cy"), BadParameter),
        (StreamOptions(model="large-v3"), UnknownModel),
        (StreamOptions(sample_rate=4000), BadParameter),
    ):
        with pytest.raises(error):
            async with here.live(options):
                pass


def test_a_decode_that_fails_fails_its_session_alone(here: STTEngine) -> None:
    for _ in range(2):
        with pytest.raises(EngineFault):
            here.stt(spoken(talk(command=marks.FAULT).pcm16))
        assert here.stt(spoken()).split() == list(TALK.words)


def test_a_lost_device_is_told_to_everyone() -> None:
    with STTEngine("scripted", model="marks", language="en") as engine:
        with pytest.raises(DeviceFault):
            engine.stt(spoken(talk(command=marks.DEVICE_FAULT).pcm16))
        with pytest.raises(DeviceFault):
            engine.stt(spoken())


def test_no_service_is_told_at_the_start() -> None:
    with STTEngine("remote", url="ws://127.0.0.1:1") as engine:
        for _ in range(2):
            with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:1"):
                engine.warmup()


def test_who_asks_a_service_loads_no_model() -> None:
    code = (
        "import sys; from assistant import STTEngine; STTEngine('remote')\n"
        "print([m for m in sys.modules if m.startswith(('worker', 'ctranslate2', 'faster_whisper', 'onnx'))])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_is_no_application() -> None:
    with pytest.raises(BadParameter, match=r"'remote'.*must be one of faster, huggingface, scripted"):
        check_engine("remote")


@pytest.fixture(scope="module")
def real() -> Generator[STTEngine]:
    """Real weights."""
    with STTEngine("faster", model="tiny.en", device="cpu") as engine:
        yield engine


@pytest.mark.model
class TestRealWeights:
    @pytest.mark.parametrize("name", ["en_quilter", "en_wizard"])
    def test_speech_is_understood_whole_and_while_it_comes(self, real: STTEngine, name: str) -> None:
        spoken = clip(name)
        whole = real.stt((SAMPLE_RATE, spoken.samples()))
        assert wer(spoken.text, whole) <= 0.1
        *partials, last = real.stream(spoken.pcm16())
        assert partials
        assert wer(spoken.text, last) <= 0.1
        assert last.committed == len(last)

    def test_what_is_no_speech_has_no_words(self, real: STTEngine) -> None:
        for name in ("music", "noise"):
            assert real.stt((SAMPLE_RATE, clip(name).samples())) == ""

    def test_a_nameless_model_that_knows_english_alone_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mine").symlink_to(resolve("tiny.en").path)
        # The directory that a link leads to has a name of its own, and is what is loaded: the setting counts.
        with pytest.raises(ModelUnavailable, match="knows English alone"):
            STTEngine(model=str(tmp_path / "mine")).warmup()
        with pytest.raises(ModelUnavailable, match="no directory"):
            STTEngine(model=str(tmp_path / "none")).warmup()

    def test_readiness_is_logged_without_words(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO), STTEngine("scripted") as engine:
            engine.warmup()
            text = engine.stt((SAMPLE_RATE, clip("en_quilter").samples()))
        assert "ready: scripted base on cpu none" in caplog.text
        assert text
        assert not any(word in caplog.text for word in text.split())
