"""What a final says in the end, given what was committed."""

from dataclasses import replace

import numpy as np

from worker.core.concluding import Again, concluded
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.hypothesis import Hypothesis
from worker.core.utterance import Asked, Utterance

FREE = DecodeRequest(kind=Kind.FINAL, audio=np.zeros(16_000, np.float32))


def utterance(committed: str, tentative: str = "") -> Utterance:
    return Utterance(0, 0, 0, 0, Hypothesis(committed=committed, tentative=tentative), 0.5)


def said(about: Utterance, text: str, prefix: str = "") -> DecodeResult | Again:
    asked = Asked(1, replace(FREE, prefix=prefix), about, 0, 16_000)
    return concluded(asked, DecodeResult(text=text, language="en"))


def text_of(found: DecodeResult | Again) -> str:
    assert isinstance(found, DecodeResult)
    return found.text


def test_with_nothing_committed_it_says_what_was_heard() -> None:
    assert text_of(said(utterance("", "one"), "two")) == "two"


def test_committed_words_are_written_as_they_were() -> None:
    assert text_of(said(utterance("One, two."), "one two three")) == "One, two. three"


def test_one_that_says_other_words_is_decoded_again_from_in_front_of_the_full_stop() -> None:
    about = utterance("One two.")
    assert said(about, "one too three") == Again("One two")
    assert text_of(said(about, "One two, three", "One two")) == "One two. three"


def test_a_forced_one_that_lost_much_is_followed_by_the_rest_of_the_free_one() -> None:
    about = utterance("One two")
    assert said(about, "one too three four five") == Again("One two")
    assert text_of(said(about, "One two", "One two")) == "One two three four five"


def test_it_ends_though_nothing_but_signs_is_committed() -> None:
    assert text_of(said(utterance("..."), "one")) == "one"
