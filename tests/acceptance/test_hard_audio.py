"""Audio that is hard on an engine, with real weights and the real voice detector, on the virtual clock: it is
understood as far as it can be, nothing is invented, and nothing grows."""

from collections.abc import Generator

import numpy as np
import pytest
import soxr

from bench import sounds
from bench.dataset import Passage, Program
from bench.latency import broken_promises, transcript
from bench.memory import held_bytes
from bench.virtual import Played, Setting, play
from shared.audio.convert import StreamConverter
from shared.audio.pcm import SAMPLE_RATE, Float32, float_to_pcm16, pcm16_to_float
from shared.events import Final
from shared.models import resolve
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.sound import pcm16, silence
from worker.core.effects import SessionOptions
from worker.core.session import Session
from worker.engine.api import Engine, EngineOptions, make_engine

pytestmark = pytest.mark.model

SPOKEN = clip("en_quilter")
CLEAN = SPOKEN.samples()


@pytest.fixture(scope="module")
def engine() -> Generator[Engine]:
    """The smallest real one."""
    made = make_engine(
        "faster_whisper", EngineOptions(model="tiny.en", path=resolve("tiny.en").path, device="cpu")
    )
    made.prepare()
    yield made
    made.close()


def listen(engine: Engine, audio: Float32, *, chunk_samples: int = 1600, speed: float = 1.0) -> Played:
    """A session that hears the audio between two silences. Partials are not what is measured here."""
    whole = pcm16(silence(0.5), audio, silence(1.5))
    program = Program(passages=(Passage(name="", language="en", text="", pcm16=whole),), pcm16=whole)
    setting = Setting(chunk_samples=chunk_samples, speed=speed)
    played = play(engine, [program], SessionOptions(), partials=False, setting=setting)
    assert broken_promises(played.arrivals[0]) == []
    return played


def errors(played: Played) -> float:
    return wer(SPOKEN.text, transcript(played.arrivals[0]))


def telephone(audio: Float32) -> Float32:
    """Through µ-law at 8 kHz and the edge's own converter."""
    narrow = np.clip(soxr.resample(audio, SAMPLE_RATE, 8000), -1, 1)
    magnitude = np.log1p(255 * np.abs(narrow)) / np.log(256)
    coded = (np.where(narrow < 0, 0, 128) + np.minimum(127, magnitude * 127).astype(int)).astype(np.uint8)
    converter = StreamConverter(encoding="mulaw", sample_rate=8000, channels=1)
    # G.711 sends all bits inverted, the sign bit set for positive samples.
    wire = np.where(coded >= 128, 255 - (coded - 128), 127 - coded).astype(np.uint8)
    return pcm16_to_float(converter.push(wire.tobytes()) + converter.flush())


def whispered(audio: Float32) -> Float32:
    """The same without a voice: noise under the spectral envelope (cepstrum up to 2.5 ms) of each 32 ms."""
    length, step, kept = 512, 128, 40
    random, window = np.random.default_rng(7), np.hanning(length)
    made = np.zeros(len(audio))
    for at in range(0, len(audio) - length, step):
        spectrum = np.abs(np.fft.rfft(audio[at : at + length] * window)) + 1e-6
        cepstrum = np.fft.irfft(np.log(spectrum))
        cepstrum[kept:-kept] = 0
        noise = np.fft.rfft(random.standard_normal(length))
        made[at : at + length] += window * np.fft.irfft(np.exp(np.fft.rfft(cepstrum).real) * noise)
    return sounds.at_level(made, -40.0)


HARD: dict[str, tuple[Float32, float]] = {
    "clipped": (np.clip(CLEAN * 12, -0.9, 0.9), 0.25),
    "with an offset": (np.clip(CLEAN + 0.25, -1, 1), 0.15),
    "over the telephone": (telephone(CLEAN), 0.25),
    "whispered": (whispered(CLEAN), 0.25),
    "at the level of a whisper": (sounds.at_level(CLEAN, -58.0), 0.25),
    "in a recorder 5 % too slow": (soxr.resample(CLEAN, 100, 105), 0.25),
    "in a recorder 5 % too fast": (soxr.resample(CLEAN, 105, 100), 0.25),
}


@pytest.mark.parametrize("name", HARD)
def test_speech_is_understood(engine: Engine, name: str) -> None:
    audio, bound = HARD[name]
    assert errors(listen(engine, np.asarray(audio, np.float32))) <= bound


@pytest.mark.parametrize(
    ("chunk_samples", "speed"),
    [
        pytest.param(160, 1.0, marks=pytest.mark.slow),
        (80_000, 1.0),
        pytest.param(1600, 0.95, marks=pytest.mark.slow),
        (1600, 1.05),
        (16_000, 100.0),
    ],
    ids=["10 ms packets", "5 s packets", "a clock 5 % slow", "a clock 5 % fast", "a burst after a stall"],
)
def test_how_the_audio_comes_does_not_change_what_is_said(
    engine: Engine, chunk_samples: int, speed: float
) -> None:
    expected = transcript(listen(engine, CLEAN).arrivals[0])
    found = listen(engine, CLEAN, chunk_samples=chunk_samples, speed=speed)
    assert transcript(found.arrivals[0]) == expected
    assert wer(SPOKEN.text, expected) <= 0.1


def test_of_two_talkers_at_once_the_louder_is_understood_or_nobody(engine: Engine) -> None:
    other = clip("en_twain").samples()
    quieter = np.resize(other, len(CLEAN)) * 0.2
    found = transcript(listen(engine, CLEAN + quieter).arrivals[0])
    assert not found or wer(SPOKEN.text, found) <= 0.4


def test_two_talkers_alike_in_loudness_are_not_written_as_more_than_one_can_say(engine: Engine) -> None:
    other = np.resize(clip("en_twain").samples(), len(CLEAN))
    found = transcript(listen(engine, CLEAN + other).arrivals[0])
    assert len(found.split()) <= 1.5 * len(SPOKEN.text.split())


def test_nothing_is_written_for_babble(engine: Engine) -> None:
    random = np.random.default_rng(7)
    talkers = [clip(name).samples() for name in ("en_stew", "en_wizard", "en_twain", "en_demo", "en_quilter")]
    talkers += [np.ascontiguousarray(clip("de_zeit").samples()), clip("fr_course").samples()]
    played = listen(engine, sounds.babble(talkers, -35.0)(15.0, random))
    assert transcript(played.arrivals[0]) == ""


@pytest.mark.parametrize("name", ["keyboard", "breath", "mains hum", "white noise, -25 dB"])
def test_nothing_is_written_for_noise(engine: Engine, name: str) -> None:
    played = listen(engine, sounds.NOISES[name](20.0, np.random.default_rng(7)))
    assert transcript(played.arrivals[0]) == ""
    assert played.decodes.total() == 0


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [10, 60])
def test_much_music_says_nothing_and_holds_no_more_than_its_first_minute(
    engine: Engine, minutes: int
) -> None:
    random = np.random.default_rng(7)
    minute = np.concatenate([make(15.0, random) for make in sounds.MUSIC.values()])
    held: list[int] = []
    waiting: list[int] = []

    def watch(session: Session) -> None:
        waiting.append(session.received - session.covered)
        if session.received % (60 * SAMPLE_RATE) == 0:
            held.append(held_bytes(session))

    whole = float_to_pcm16(minute) * minutes
    program = Program(passages=(Passage(name="", language="en", text="", pcm16=whole),), pcm16=whole)
    played = play(engine, [program], SessionOptions(), setting=Setting(chunk_samples=16_000, watch=watch))
    assert [a.event for a in played.arrivals[0] if isinstance(a.event, Final) and a.event.text] == []
    assert len(held) == minutes
    assert max(held) <= 2 * held[0] <= 4_000_000
    assert max(waiting) <= 30 * SAMPLE_RATE
