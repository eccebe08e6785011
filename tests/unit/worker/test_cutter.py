"""Windows cover all speech once, fit the model, and end at pauses."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.jobs.cutter import FRAME_SAMPLES, Cutter, CutterConfig, Stretch

SMALL = CutterConfig(window_s_max=3.2, search_s=1.3, silence_s=0.7, pad_s=0.2, overlap_s=0.6)
FRAME_S = FRAME_SAMPLES / 16_000


def audio_of(count: int, tail_samples: int) -> bytes:
    """Frames in which every sample is its own index, modulo a prime."""
    total = max(0, (count - 1) * FRAME_SAMPLES + tail_samples) if count else 0
    return (np.arange(total) % 32_749).astype("<i2").tobytes()


def cut(
    probabilities: list[float], config: CutterConfig | None = None, *, tail_samples: int = FRAME_SAMPLES
) -> list[Stretch]:
    cutter = Cutter(config)
    audio = audio_of(len(probabilities), tail_samples)
    found: list[Stretch] = []
    position = 0
    for number, probability in enumerate(probabilities):
        frame = audio[number * FRAME_SAMPLES * 2 : (number + 1) * FRAME_SAMPLES * 2]
        if stretch := cutter.push(frame, probability):
            found.append(stretch)
        assert cutter.position >= position
        position = cutter.position
    if stretch := cutter.flush():
        found.append(stretch)
    assert cutter.position == len(audio) // 2
    return found


def speech(seconds: float) -> list[float]:
    return [0.9] * round(seconds / FRAME_S)


def silence(seconds: float) -> list[float]:
    return [0.02] * round(seconds / FRAME_S)


def test_silence_gives_no_window() -> None:
    assert cut(silence(100)) == []
    assert cut([]) == []


def test_speech_is_given_out_with_a_little_silence_around_it() -> None:
    (window,) = cut(silence(20) + speech(5) + silence(20))
    assert window.start / 16_000 == pytest.approx(20 - 0.4, abs=2 * FRAME_S)
    assert window.end / 16_000 == pytest.approx(25 + 0.4, abs=2 * FRAME_S)


def test_sentences_with_short_pauses_share_a_window() -> None:
    assert len(cut((speech(4) + silence(1)) * 4)) == 1


def test_a_long_silence_ends_a_window() -> None:
    windows = cut(speech(4) + silence(10) + speech(4))
    assert len(windows) == 2
    assert windows[1].start / 16_000 == pytest.approx(14 - 0.4, abs=2 * FRAME_S)


LONG = CutterConfig(window_s_max=30.0, search_s=12.0)


def test_a_full_window_is_cut_in_the_longest_pause_of_its_last_part() -> None:
    """Pauses at 10 s (too early to be looked at), 20 s (long), 27 s (short)."""
    talk = speech(9) + silence(1.5) + speech(9.5) + silence(0.8) + speech(6) + silence(0.2) + speech(10)
    first, second = cut(talk, LONG)
    assert first.end == second.start
    assert first.end / 16_000 == pytest.approx(20.4, abs=2 * FRAME_S)


def test_speech_without_a_pause_is_cut_where_it_is_least_likely_and_the_windows_overlap() -> None:
    talk = speech(50)
    dip = round(25 / FRAME_S)
    talk[dip - 2 : dip + 3] = [0.6, 0.5, 0.4, 0.5, 0.6]
    first, second = cut(talk, LONG)
    assert first.trail_samples == second.lead_samples == first.end - second.start
    assert first.trail_samples / 16_000 == pytest.approx(2.0, abs=2 * FRAME_S)
    assert (first.end + second.start) / 2 / 16_000 == pytest.approx(25, abs=3 * FRAME_S)
    assert (first.lead_samples, second.trail_samples) == (0, 0)


def test_a_window_says_where_in_it_there_is_speech() -> None:
    (window,) = cut(silence(20) + speech(5) + silence(1) + speech(2) + silence(20))
    assert np.allclose(window.speech, [(0.4, 5.4), (6.4, 8.4)], atol=3 * FRAME_S)


def test_lengths_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="silence"):
        Cutter(CutterConfig(silence_s=0.5, pad_s=0.4))
    with pytest.raises(ValueError, match="window"):
        Cutter(CutterConfig(search_s=30))
    with pytest.raises(ValueError, match="overlap"):
        Cutter(CutterConfig(overlap_s=25))


RUNS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.34, 0.35, 0.6, 0.99]), st.integers(1, 140)), max_size=25
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RUNS, st.integers(1, FRAME_SAMPLES))
def test_every_frame_of_speech_is_in_exactly_one_window_but_for_overlaps(
    runs: list[tuple[float, int]], tail_samples: int
) -> None:
    probabilities = [p for p, count in runs for _ in range(count)]
    whole = audio_of(len(probabilities), tail_samples)
    windows = cut(probabilities, SMALL, tail_samples=tail_samples)
    covered = np.zeros(len(whole) // 2, np.int8)
    end = trail = 0
    for window in windows:
        assert window.lead_samples == trail
        assert end - trail <= window.start < window.end
        assert not trail or end - trail == window.start
        trail = window.trail_samples
        assert window.pcm16 == whole[window.start * 2 : window.end * 2]
        assert len(window.pcm16) // 2 <= SMALL.window_s_max * 16_000
        covered[window.start + window.lead_samples : window.end] += 1
        end = window.end
        first, last = window.start // FRAME_SAMPLES, (window.end - 1) // FRAME_SAMPLES
        assert window.lead_samples or any(p >= 0.35 for p in probabilities[first : last + 1])
        for begin_s, end_s in window.speech:
            frames = range(round(begin_s / FRAME_S), round(end_s / FRAME_S))
            assert all(probabilities[first + number] >= 0.35 for number in frames)
    for number, probability in enumerate(probabilities):
        if probability >= 0.35:
            assert (covered[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES] == 1).all()
    assert trail == 0
    assert covered.max(initial=0) <= 1


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=30)
@given(RUNS)
def test_the_same_audio_is_cut_the_same_way_again(runs: list[tuple[float, int]]) -> None:
    """A job that starts again after a crash relies on it."""
    probabilities = [p for p, count in runs for _ in range(count)]
    assert cut(probabilities, SMALL) == cut(probabilities, SMALL)
