"""Real speech of files, cut at bad places: no word is lost or doubled where windows meet."""

from collections.abc import Generator
from dataclasses import replace

import jiwer
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from shared.audio.pcm import pcm16_to_float, to_seconds
from shared.models import resolve
from tests.support.data import clip
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.device import Device, WindowRequest
from worker.engine.api import Engine, EngineOptions, make_engine
from worker.engine.silero import SileroVad
from worker.jobs.cutter import Cutter, CutterConfig, Stretch
from worker.jobs.seams import Seams
from worker.jobs.splitter import Splitter
from worker.whole_windows import result_of, whole

pytestmark = [pytest.mark.anyio, pytest.mark.model]

NAMES = ("en_demo", "en_twain", "en_stew", "en_quilter")
REFERENCE = " ".join(clip(name).text for name in NAMES)
PCM16 = b"".join(clip(name).pcm16() for name in NAMES)
NORMALISE = EnglishTextNormalizer()


@pytest.fixture(scope="module")
def engine() -> Generator[Engine]:
    """A small model: it is the surer to stumble."""
    made = make_engine(
        "faster_whisper",
        EngineOptions(model="tiny.en", path=resolve("tiny.en").path, device="cpu", threads=1),
    )
    yield made
    made.close()


def windows(config: CutterConfig) -> list[Stretch]:
    splitter = Splitter(SileroVad().frames, Cutter(config))
    return [*splitter.push(PCM16), *splitter.flush()]


async def text_of(engine: Engine, found: list[Stretch]) -> str:
    device = Device(engine)
    requests = [
        WindowRequest(
            str(n),
            DecodeRequest(kind=Kind.FILE, audio=pcm16_to_float(w.pcm16), language="en", words=True),
        )
        for n, w in enumerate(found)
    ]
    seams = Seams()
    for index, window in enumerate(found):
        lead_s, trail_s = to_seconds(window.lead_samples), to_seconds(window.trail_samples)
        seams.expect(index, to_seconds(window.start), lead_s=lead_s, trail_s=trail_s)
    own: dict[int, str] = {}
    answers = device.ask(requests)
    for index, (window, request, answer) in enumerate(zip(found, requests, answers, strict=True)):
        heard = await whole(device, request, await result_of(answer), window.speech)
        at_s = to_seconds(window.start)
        moved = [replace(w, start=w.start + at_s, end=w.end + at_s) for w in heard.words]
        own |= {n: " ".join(w.text for w in words) for n, words in seams.heard(index, moved)}
    return " ".join(own[n] for n in sorted(own))


def errors(text: str) -> tuple[int, int]:
    """Words that are missing, and words too many."""
    out = jiwer.process_words(NORMALISE(REFERENCE), NORMALISE(text))
    return out.deletions, out.insertions


@pytest.mark.slow
def test_what_a_window_says_does_not_depend_on_the_windows_that_are_decoded_with_it(engine: Engine) -> None:
    """So a job that is tried again, or has other neighbours or more workers, says the same."""
    found = windows(CutterConfig(window_s_max=14.0, search_s=8.0, silence_s=2.0))
    requests = [
        DecodeRequest(kind=Kind.FILE, audio=pcm16_to_float(w.pcm16), language="en", words=True) for w in found
    ]
    assert len({round(request.duration_s) for request in requests}) > 1
    alone = [said(result) for request in requests for result in engine.decode([request])]
    assert [said(result) for result in engine.decode(requests)] == alone
    assert [said(result) for result in engine.decode(requests[::-1])] == alone[::-1]
    assert [said(result) for result in engine.decode(requests[1:3])] == alone[1:3]


def said(result: DecodeResult) -> tuple[str, list[tuple[str, float, float]]]:
    return result.text, [(word.text, word.start, word.end) for word in result.words]


@pytest.mark.parametrize("window_s", [pytest.param(s, marks=pytest.mark.slow) for s in (7.0, 8.3, 9.1, 11.7)])
async def test_windows_cut_in_mid_speech_say_what_the_pieces_say(engine: Engine, window_s: float) -> None:
    """No pause is long enough to be cut in: every window ends in a word or beside one."""
    found = windows(
        CutterConfig(window_s_max=window_s, search_s=1.5, pause_s=9.0, silence_s=6.5, overlap_s=2.0)
    )
    assert sum(w.trail_samples > 0 for w in found) >= 3
    missing, too_many = errors(await text_of(engine, found))
    missing_whole, too_many_whole = errors(await text_of(engine, windows(CutterConfig())))
    # A word that the model mishears at one place it may mishear as two at another.
    assert missing <= missing_whole + 1
    assert too_many <= too_many_whole + 1
