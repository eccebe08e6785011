"""What a final says in the end, given what was committed."""

from dataclasses import replace

import numpy as np
import pytest

from worker.core.concluding import Again, concluded
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.filters import Drop
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


def lost(about: Utterance, doubt: Drop | None, **asked: bool) -> DecodeResult | Again:
    question = replace(Asked(1, FREE, about, 0, 16_000), doubt=doubt, **asked)
    return concluded(question, DecodeResult(text="", language="en"))


@pytest.mark.parametrize("doubt", [Drop.LOGPROB, Drop.LOOP, Drop.COMPRESSION, Drop.SPARSE])
def test_one_that_is_not_believed_is_heard_once_more_by_itself(doubt: Drop) -> None:
    about = utterance("")
    assert lost(about, doubt) == Again(alone=True)
    assert text_of(lost(about, doubt, alone=True)) == ""


@pytest.mark.parametrize("doubt", [None, Drop.SILENCE, Drop.DURATION, Drop.PHRASE])
def test_where_nobody_seems_to_speak_nothing_is_heard_twice(doubt: Drop | None) -> None:
    assert text_of(lost(utterance(""), doubt)) == ""


def test_what_a_filter_left_of_a_loop_is_not_heard_again() -> None:
    asked = replace(Asked(1, FREE, utterance(""), 0, 16_000), doubt=Drop.LOOP)
    assert text_of(concluded(asked, DecodeResult(text="once", language="en"))) == "once"


def test_one_heard_by_itself_that_says_other_words_is_forced_by_itself_too() -> None:
    asked = replace(Asked(1, FREE, utterance("One two."), 0, 16_000), alone=True)
    assert concluded(asked, DecodeResult(text="one too three", language="en")) == Again("One two", alone=True)


def test_where_it_is_not_believed_by_itself_either_committed_words_are_forced_as_ever() -> None:
    assert lost(utterance("One two."), Drop.LOGPROB) == Again(alone=True)
    assert lost(utterance("One two."), Drop.LOGPROB, alone=True) == Again("One two")
