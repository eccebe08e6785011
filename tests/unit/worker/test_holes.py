"""Speech that the text of a window leaves out is found by the times of its words."""

from shared.events import Word
from worker.core.decode import DecodeResult
from worker.core.holes import HOLE_S, cut_beside, find_hole, in_parts, spoken

SPEECH = ((0.4, 4.0), (5.0, 9.6))


def words(*starts: float) -> tuple[Word, ...]:
    return tuple(Word(text="x", start=s, end=s + 0.2, probability=0.9) for s in starts)


def evenly(from_s: float, to_s: float) -> tuple[Word, ...]:
    return words(*(from_s + 0.4 * n for n in range(int((to_s - from_s) / 0.4))))


def test_text_that_covers_its_speech_has_no_hole() -> None:
    assert find_hole(evenly(0.4, 4.0) + evenly(5.0, 9.6), SPEECH, 10.0) is None
    assert find_hole((), ((0.0, HOLE_S - 0.1),), 10.0) is None
    assert find_hole((), (), 10.0) is None
    assert find_hole(words(0.0, 8.0), ((0.0, 0.5), (8.0, 8.5)), 10.0) is None  # a long pause is none


def test_a_sentence_that_is_left_out_is_a_hole_at_either_end_and_in_between() -> None:
    assert find_hole(evenly(5.0, 9.6), SPEECH, 10.0) == (0.0, 5.0)
    hole = find_hole(evenly(0.4, 4.0), SPEECH, 10.0)
    assert hole is not None
    assert 3.0 < hole[0] < 4.0 < hole[1] == 10.0
    assert find_hole((), SPEECH, 10.0) == (0.0, 10.0)
    assert find_hole(words(0.4, 3.8, 5.0, 9.4), SPEECH, 10.0) == (5.0, 9.4)


def test_a_window_is_cut_in_the_pause_beside_its_hole() -> None:
    speech = ((0.0, 4.0), (4.4, 8.0), (9.0, 12.0))
    assert cut_beside((0.0, 4.3), speech, 12.0) == 4.2
    assert cut_beside((7.5, 12.0), speech, 12.0) == 8.5
    assert cut_beside((0.0, 1.5), speech, 12.0) == 8.5  # none beside it
    assert cut_beside((0.0, 12.0), ((0.0, 12.0),), 12.0) is None
    assert cut_beside((0.0, 2.0), ((0.0, 0.5), (0.7, 2.0)), 2.0) is None  # the part would be too short


def heard(text: str, avg_logprob: float = -0.2) -> DecodeResult:
    timed = tuple(
        Word(text=t, start=n * 1.0, end=n + 0.5, probability=0.9) for n, t in enumerate(text.split())
    )
    return DecodeResult(text=text, language="en", words=timed, avg_logprob=avg_logprob)


def test_parts_stand_for_the_whole_when_they_say_more_and_are_sure() -> None:
    whole = heard("four five")
    better = in_parts(whole, [heard("one two three"), heard("four five", -0.4)], 3.5)
    assert better.text == "one two three four five"
    assert [word.start for word in better.words] == [0.0, 1.0, 2.0, 3.5, 4.5]
    assert better.avg_logprob == -0.4
    assert in_parts(whole, [heard("one"), heard("five")], 3.5) == whole
    assert in_parts(whole, [heard("so so so", -1.5), heard("four five")], 3.5) == whole


def test_speech_between_two_times() -> None:
    assert spoken(SPEECH, 0.0, 10.0) == 3.6 + 4.6
    assert round(spoken(SPEECH, 3.0, 6.0), 6) == 2.0
