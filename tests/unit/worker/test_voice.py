"""How much speech lies under a text."""

from hypothesis import given
from hypothesis import strategies as st

from worker.core.framing import FRAME_SAMPLES
from worker.core.voice import Voice


def heard(speech: list[bool], origin: int = 0) -> Voice:
    voice = Voice(origin, 0.5)
    for frame in speech:
        voice.push(0.9 if frame else 0.1)
    return voice


def test_speech_is_counted_within_bounds_and_as_far_as_it_is_kept() -> None:
    voice = heard([False] * 10 + [True] * 10 + [False] * 10, origin=FRAME_SAMPLES)
    assert voice.speech_s(0, 100 * FRAME_SAMPLES) == 10 * 0.032
    assert voice.speech_s(16 * FRAME_SAMPLES, 18 * FRAME_SAMPLES) == 2 * 0.032
    assert voice.speech_s(200 * FRAME_SAMPLES, 300 * FRAME_SAMPLES) == 0.0
    voice.trim(16 * FRAME_SAMPLES)
    assert voice.speech_s(0, 100 * FRAME_SAMPLES) == 5 * 0.032


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 80 * FRAME_SAMPLES))
def test_trimming_changes_nothing_behind_it(speech: list[bool], before: int) -> None:
    voice = heard(speech)
    whole = voice.speech_s(before, 100 * FRAME_SAMPLES)
    voice.trim(before)
    assert voice.speech_s(before, 100 * FRAME_SAMPLES) == whole
    assert len(voice) <= max(0, len(speech) - before // FRAME_SAMPLES)
