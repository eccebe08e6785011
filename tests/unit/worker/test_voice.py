"""How much speech lies under a text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.framing import FRAME_SAMPLES
from worker.core.voice import Voice

SILENT = np.zeros(FRAME_SAMPLES, np.float32)


def heard(speech: list[bool], origin: int = 0) -> Voice:
    voice = Voice(origin, 0.5)
    for frame in speech:
        voice.push(0.9 if frame else 0.1, SILENT)
    return voice


def test_speech_is_counted_within_bounds_and_as_far_as_it_is_kept() -> None:
    voice = heard([False] * 10 + [True] * 10 + [False] * 10, origin=FRAME_SAMPLES)
    assert voice.speech_s(0, 100 * FRAME_SAMPLES) == 10 * 0.032
    assert voice.speech_s(16 * FRAME_SAMPLES, 18 * FRAME_SAMPLES) == 2 * 0.032
    assert voice.speech_s(200 * FRAME_SAMPLES, 300 * FRAME_SAMPLES) == 0.0
    voice.trim(16 * FRAME_SAMPLES)
    assert voice.speech_s(0, 100 * FRAME_SAMPLES) == 5 * 0.032


def test_a_voice_stands_above_the_room_and_a_crowd_does_not() -> None:
    voice = Voice(0, 0.5)
    loud, quiet = np.full(FRAME_SAMPLES, 0.1, np.float32), np.full(FRAME_SAMPLES, 0.001, np.float32)
    for frame in (quiet, quiet, loud, loud, loud, loud, quiet, *[loud] * 13):
        voice.push(0.9, frame)
    assert voice.range_db(0, 20 * FRAME_SAMPLES) == pytest.approx(40.0, abs=0.1)
    assert voice.range_db(7 * FRAME_SAMPLES, 20 * FRAME_SAMPLES) == pytest.approx(0.0, abs=0.1)
    assert voice.range_db(99 * FRAME_SAMPLES, 100 * FRAME_SAMPLES) == 0.0
    voice.trim(2 * FRAME_SAMPLES)
    assert voice.range_db(0, 4 * FRAME_SAMPLES) == pytest.approx(0.0, abs=0.1)


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 80 * FRAME_SAMPLES))
def test_trimming_changes_nothing_behind_it(speech: list[bool], before: int) -> None:
    voice = heard(speech)
    whole = voice.speech_s(before, 100 * FRAME_SAMPLES)
    voice.trim(before)
    assert voice.speech_s(before, 100 * FRAME_SAMPLES) == whole
    assert len(voice) <= max(0, len(speech) - before // FRAME_SAMPLES)


def test_a_pause_is_the_first_frame_without_speech() -> None:
    voice = heard([True] * 10 + [False] * 2 + [True] * 10, origin=FRAME_SAMPLES)
    assert voice.pause(3 * FRAME_SAMPLES, 20 * FRAME_SAMPLES) == 11 * FRAME_SAMPLES
    assert voice.pause(11 * FRAME_SAMPLES + 7, 20 * FRAME_SAMPLES) == 11 * FRAME_SAMPLES + 7
    assert voice.pause(13 * FRAME_SAMPLES, 20 * FRAME_SAMPLES) is None
    assert voice.pause(3 * FRAME_SAMPLES, 11 * FRAME_SAMPLES) is None
