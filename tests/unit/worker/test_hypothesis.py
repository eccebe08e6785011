"""What agreement commits, and that it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Word
from worker.core.hypothesis import Hypothesis, common_prefix, fold, keep_stable, spliced, units


def after(*texts: str) -> Hypothesis:
    hypothesis = Hypothesis()
    for text in texts:
        hypothesis.update(text)
    return hypothesis


def word(text: str, end: float) -> Word:
    return Word(text=text, start=end - 0.3, end=end, probability=0.9)


def test_a_doubtful_text_is_shown_and_ends_agreement() -> None:
    text = Hypothesis(agree_s=1.0, hold_back=1)
    text.update("one two three", 2.0)
    text.update("one two three four", 2.9, commit=False)
    assert (text.committed, text.text) == ("", "one two three four")
    text.update("one two three four", 3.0)
    assert text.committed == ""
    text.update("one two three four five", 4.0)
    assert text.committed == "one two three four"


def test_committed_text_was_said_before_the_first_agreeing_hypothesis_ended() -> None:
    text = Hypothesis(agree_s=1.0, hold_back=1)
    text.update("one two three", 2.0)
    text.update("one two three four", 3.0)
    assert (text.committed, text.committed_until_s) == ("one two three", 2.0)
    text.update("one two three four five six", 4.0)
    assert (text.committed, text.committed_until_s) == ("one two three four", 3.0)


def test_two_hypotheses_commit_what_they_share_but_not_the_last_word() -> None:
    hypothesis = after("he was a man", "he was a mad")
    assert hypothesis.committed == "he was a"
    assert hypothesis.tentative == " mad"


def test_the_last_word_is_not_committed_though_both_say_it() -> None:
    assert after("he was", "he was").committed == "he"


def test_agreement_can_be_asked_for_over_a_span_of_audio() -> None:
    hypothesis = Hypothesis(agree_s=2.0)
    for heard_s in (1.0, 2.0):
        hypothesis.update("he was here", heard_s)
    assert hypothesis.committed == ""
    hypothesis.update("he was here now", 3.0)
    assert hypothesis.committed == "he was here"


def test_one_dissenter_within_the_span_is_enough_to_wait() -> None:
    hypothesis = Hypothesis(agree_s=2.0)
    for heard_s, text in ((1.0, "he was"), (2.0, "she was"), (3.0, "he was here"), (4.0, "he was here")):
        hypothesis.update(text, heard_s)
    assert hypothesis.committed == ""
    hypothesis.update("he was here", 5.0)
    assert hypothesis.committed == "he was"


def test_case_and_punctuation_do_not_hinder_agreement_and_the_newer_surface_counts() -> None:
    assert after("He was, there", "he was there now").committed == "he was there"


def test_one_hypothesis_commits_nothing() -> None:
    assert after("he was a man").stable == ""


def test_a_text_that_breaks_with_what_is_committed_is_ignored() -> None:
    hypothesis = after("a b c", "a b c")
    hypothesis.update("x y z")
    assert hypothesis.text == "a b c"


def test_scripts_without_spaces_agree_character_by_character() -> None:
    hypothesis = after("今日は良い", "今日は悪い")
    assert hypothesis.committed == "今日は"
    assert hypothesis.text == "今日は悪い"


def test_settled_words_leave_the_window_and_the_text_stays_the_same() -> None:
    hypothesis = after("he was a good man there", "he was a good man there was")
    text = hypothesis.text
    times = tuple(word(t, i + 1.0) for i, t in enumerate(["he", "was", "a", "good", "man", "there", "was"]))
    assert hypothesis.settle(times, before_s=3.5) == 3.0
    assert (hypothesis.settled, hypothesis.committed) == ("he was a", "good man there")
    assert hypothesis.text == text


def test_the_last_committed_words_stay_in_the_window() -> None:
    hypothesis = after("he was a good man there", "he was a good man there was")
    times = tuple(word(t, i + 1.0) for i, t in enumerate(["he", "was", "a", "good", "man", "there", "was"]))
    assert hypothesis.settle(times, before_s=9.0, keep=4) == 2.0
    assert (hypothesis.settled, hypothesis.committed) == ("he was", "a good man there")
    hypothesis.unsettle()
    assert (hypothesis.settled, hypothesis.committed) == ("", "he was a good man there")


def test_words_settle_though_their_punctuation_is_another() -> None:
    hypothesis = Hypothesis(committed="he was here. They were")
    times = (word("he", 1.0), word("was", 2.0), word("here,", 3.0), word("they", 4.0))
    assert hypothesis.settle(times, before_s=9.0) == 3.0
    assert (hypothesis.settled, hypothesis.committed) == ("he was here.", "They were")


def test_the_next_decode_does_not_begin_behind_the_end_of_a_sentence() -> None:
    hypothesis = Hypothesis(committed="he was here.", hold_back=0)
    assert hypothesis.prefix == "he was here"
    hypothesis.update("he was here, and so", 1.0)
    assert hypothesis.text == "he was here. and so"
    hypothesis.update("she was here, and so", 2.0)
    assert hypothesis.text == "he was here. and so"


def test_nothing_settles_before_a_committed_word_ends() -> None:
    hypothesis = after("he was", "he was here")
    assert hypothesis.settle((word("he", 5.0), word("was", 6.0)), before_s=2.0) == 0.0
    assert hypothesis.settled == ""


def test_a_seam_that_would_need_a_space_it_never_had_is_no_place_to_cut() -> None:
    hypothesis = Hypothesis(committed="今日はABC")
    assert hypothesis.settle((word("は", 1.0), word("ABC", 9.0)), before_s=2.0) == 0.0
    assert hypothesis.text == "今日はABC"


@pytest.mark.parametrize(
    ("stable", "free", "kept"),
    [
        ("he was", "He was, I think, here.", "he was I think, here."),
        ("he was", "he is here", None),
        ("he was here", "he was", None),
        ("", "anything", "anything"),
    ],
)
def test_a_final_keeps_what_was_committed_or_is_refused(stable: str, free: str, kept: str | None) -> None:
    assert keep_stable(stable, free) == kept


TEXTS = st.text(alphabet="ab cé今日.,' ", max_size=30)


@given(TEXTS)
def test_units_are_the_text(text: str) -> None:
    assert "".join(units(text)) == text


@given(st.lists(TEXTS.map(str.strip), max_size=8))
def test_committed_text_only_grows(texts: list[str]) -> None:
    hypothesis, committed = Hypothesis(), ""
    for text in texts:
        hypothesis.update(text)
        assert hypothesis.text.startswith(hypothesis.stable)
        assert hypothesis.stable.startswith(committed)
        committed = hypothesis.stable


def test_a_unit_of_punctuation_alone_is_compared_as_it_is() -> None:
    assert fold(" …") == "…"
    assert common_prefix([" -", "a"], [" -", "A"]) == 2


@pytest.mark.parametrize(
    ("stable", "free", "whole"),
    [
        (
            "in thick flour-fatten",
            "in thick flour, fat and sauce. My friends",
            "in thick flour-fatten fat and sauce. My friends",
        ),
        ("he was a good", "she was a good man", "he was a good man"),
        ("he was", "", "he was"),
        ("one two seven eight", "one two three four five six seven eight nine", "one two seven eight nine"),
        ("今日は", "今日が良い", "今日は良い"),
        ("one two", "three four", "one two"),
    ],
)
def test_committed_text_is_followed_by_what_the_free_text_says_behind_it(
    stable: str, free: str, whole: str
) -> None:
    assert spliced(stable, free) == whole


@given(TEXTS.map(str.strip), TEXTS.map(str.strip))
def test_a_splice_begins_with_what_is_committed(stable: str, free: str) -> None:
    assert spliced(stable, free).startswith(stable)


def test_a_doubt_in_between_makes_agreement_begin_again() -> None:
    hypothesis = Hypothesis(hold_back=0, agree_s=1.0)
    hypothesis.update("he was", 0.5)
    hypothesis.doubt()
    hypothesis.update("he was", 1.6)
    assert hypothesis.stable == ""
    hypothesis.update("he was", 2.7)
    assert hypothesis.stable == "he was"
