"""Normalisation, word errors and alignment, on texts small enough to count by hand."""

import math

import pytest

from bench.scoring import (
    Spread,
    WordErrors,
    difference_interval,
    errors_by_word,
    left_out,
    normalise,
    pairs,
    shown,
    total,
    word_errors,
    words_of,
)


def test_style_is_no_error():
    """Case, punctuation, contractions, titles and numerals do not count."""
    errors = word_errors("mister quilter can't pay twenty one", "Mr. Quilter can not pay 21.")
    assert errors == WordErrors(words=6)


def test_other_languages_keep_their_letters():
    """The basic normaliser lowers case and drops punctuation only."""
    assert normalise("Für die Äpfel!", "de") == "für die äpfel"


def test_errors_are_counted_by_kind():
    """One word replaced, one left out, one put in."""
    errors = word_errors("alpha bravo charlie delta", "alpha beta charlie echo echo", "de")
    assert (errors.substitutions, errors.deletions, errors.insertions, errors.words) == (2, 0, 1, 4)
    assert errors.rate == pytest.approx(0.75)


def test_errors_stand_at_the_words_of_the_reference():
    """An insertion counts at the word behind it, at the end at the last."""
    errors = errors_by_word(
        ["alpha", "bravo", "charlie", "delta"], ["alpha", "beta", "x", "charlie", "y", "z"]
    )
    assert errors[0].tolist() == [0, 0, 0]
    assert errors.sum(axis=0).tolist() == [2, 0, 2]
    assert errors_by_word(["alpha", "bravo"], ["alpha", "bravo", "x", "y"]).tolist() == [[0, 0, 0], [0, 0, 2]]


def test_the_interval_holds_the_difference_and_narrows_with_the_text():
    """Paired: blocks in which both make the same errors say nothing either way."""
    assert difference_interval([3, 1, 4], [3, 1, 4], [25, 25, 25]) == (0.0, 0.0)
    few = difference_interval([2, 0, 3, 1], [1, 1, 1, 1], [25] * 4)
    many = difference_interval([2, 0, 3, 1] * 50, [1, 1, 1, 1] * 50, [25] * 200)
    assert few[0] < many[0] < 0.02 < many[1] < few[1]


def test_text_where_nobody_spoke_is_insertions():
    """Without a reference there is no rate, but the words count in a sum."""
    made_up = word_errors("", "thank you")
    assert made_up.insertions == 2
    assert math.isnan(made_up.rate)
    assert total([made_up, WordErrors(words=8)]).rate == pytest.approx(0.25)


def test_displayed_words_are_not_merged_or_split():
    """Contractions and numbers stay what they are on the screen; lone punctuation is no word."""
    assert words_of("“Can’t — he’s 21, shop-boy!”") == ("can't", "he's", "21", "shop-boy")


def test_pairs_skip_what_is_ambiguous():
    """An isolated substitution is a pair; a substitution next to an insertion is not."""
    assert list(pairs(["a", "b", "c"], ["a", "x", "c"])) == [(0, 0), (1, 1), (2, 2)]
    assert list(pairs(["a", "shop", "boy", "d"], ["a", "shopboy", "d"])) == [(0, 0), (3, 2)]
    assert list(pairs([], ["a"])) == []


@pytest.mark.parametrize(
    ("partial", "expected"),
    [
        ("", set[int]()),
        ("the", {0}),
        ("the cat", {0, 1}),
        ("the big cat", {0, 1}),
        ("a cat sat", {1, 2}),
        ("the cat sat on the mat and", {0, 1, 2, 3, 4, 5}),
        ("dog", set[int]()),
    ],
)
def test_a_partial_shows_words_in_their_place(partial: str, expected: set[int]):
    """A repeated word counts at its own place only, and words around a wrong one still count."""
    assert shown(partial.split(), ["the", "cat", "sat", "on", "the", "mat"]) == expected


def test_spread_of_nothing_is_not_zero():
    """No sample must not look like perfect latency."""
    assert math.isnan(Spread.of([]).p50)
    assert Spread.of([1.0, 2.0, 3.0]) == Spread(3, 2.0, 2.8, 2.9, 3.0)


def test_words_that_were_left_out_are_told_from_misheard_ones() -> None:
    said = "alpha bravo charlie delta echo foxtrot golf hotel india juliet"
    assert left_out(said, "alpha bravo foxtrot golf hotel india juliet") == 3
    assert left_out(said, "alpha bravo echo foxtrot golf india juliet") == 0
    assert left_out(said, "alpha bravo x y z foxtrot golf hotel india juliet") == 0
    assert left_out(said, "") == 10
