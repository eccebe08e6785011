"""Window lengths and caps, and repeated ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.filters import ends_in_repeat
from worker.core.window import (
    FRAMES_MAX,
    LARGE,
    SMALL,
    is_runaway,
    longer_windows,
    policy_for,
    token_cap,
)


@pytest.mark.parametrize(
    ("speech_s", "frames"), [(0.0, 800), (3.0, 800), (6.0, 800), (6.1, 900), (12.0, 1400), (29.0, 3000)]
)
def test_a_short_window_has_room_behind_the_speech_and_a_long_one_ends_at_thirty_seconds(
    speech_s: float, frames: int
) -> None:
    assert SMALL.frames(speech_s) == frames


@pytest.mark.parametrize(("speech_s", "frames"), [(0.0, 500), (4.0, 500), (4.1, 600), (29.0, 3000)])
def test_a_tight_window_is_shorter_where_the_model_can_do_with_it(speech_s: float, frames: int) -> None:
    assert SMALL.frames(speech_s, tight=True) == frames
    assert LARGE.frames(speech_s, tight=True) == LARGE.frames(speech_s)


@given(st.floats(0, 60))
def test_a_window_holds_the_speech_and_its_margin(speech_s: float) -> None:
    for policy in (SMALL, LARGE):
        frames = policy.frames(speech_s)
        assert frames <= FRAMES_MAX
        assert frames >= min(FRAMES_MAX, (speech_s + policy.margin_s) * 100 - 1)
        # CTranslate2 takes encoder states of exactly n_mels frames for a mel.
        assert frames // 2 not in (80, 128)


@given(st.floats(0, 60))
def test_a_window_of_a_file_has_one_of_few_lengths(speech_s: float) -> None:
    for policy, lengths in ((SMALL, {800, 1500, 2200, 3000}), (LARGE, {1500, 2500, 3000})):
        frames = policy.file_frames(speech_s)
        assert frames in lengths
        assert frames >= policy.frames(speech_s)
        # The longest window that is cut needs no more than the last but one.
        assert speech_s > 20 or frames < FRAMES_MAX


def test_large_models_get_longer_windows() -> None:
    assert policy_for(512) is SMALL
    assert policy_for(768) is SMALL
    assert policy_for(1280) is LARGE


def test_more_tokens_than_speech_can_hold_is_a_runaway() -> None:
    assert not is_runaway(30, 5.0, "en")
    assert is_runaway(36, 5.0, "en")
    assert not is_runaway(60, 5.0, "th")
    assert is_runaway(3, 0.1, "en")


@given(st.floats(0, 30), st.sampled_from(["en", "de", "th"]))
def test_the_cap_lies_above_what_counts_as_runaway_or_is_the_models_own(
    audio_s: float, language: str
) -> None:
    cap = token_cap(audio_s, language)
    assert 0 < cap <= 220
    assert cap == 220 or is_runaway(cap, audio_s, language)


@pytest.mark.parametrize(
    ("words", "repeats"),
    [
        ("a b c d e a b c d e", True),
        ("x a b c d e f a b c d e f", True),
        ("a b c d e f g", False),
        ("no no no no", False),
        ("a b c d e x a b c d e", False),
        ("", False),
    ],
)
def test_a_repeated_end_is_seen(words: str, repeats: bool) -> None:
    assert ends_in_repeat(words.split()) is repeats


def test_a_final_that_ran_on_is_tried_in_windows_that_are_worth_it() -> None:
    assert longer_windows(800) == [1500, 3000]
    assert longer_windows(1300) == [3000]
    assert longer_windows(2900) == [3000]
    assert longer_windows(FRAMES_MAX) == [3000]
