"""What was said before and is heard again: how much of it, and whether it is fit to go on from."""

from dataclasses import replace

import pytest

from tests.support.machine import Driver, scripted
from tests.support.sound import pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.past import LeftContext, Past, Said, is_written


def past_of(*texts: str) -> Past:
    """Finals of 20 samples each, 5 between them."""
    past = Past(reach_samples=100, gap_samples=10)
    for number, text in enumerate(texts):
        past.add(Said(25 * number, 25 * number + 20, text))
    return past


@pytest.mark.parametrize(
    "text",
    [
        "But she said",
        "of a truth, I heard him",
        "thank you.",
        "21 July",
        "Иди сюда",
        "今天天气很好",
        "مرحبا",
        "",
    ],
)
def test_a_capital_in_front_or_a_mark_makes_a_text(text: str) -> None:
    assert is_written(text)


@pytest.mark.parametrize(
    "text", ["replied he replied he", "of a truth I heard him", "dann kam der Mann", "и он"]
)
def test_words_without_either_are_none(text: str) -> None:
    assert not is_written(text)


def test_as_many_finals_as_fit_are_the_left_context() -> None:
    past = past_of("One.", "Two.", "Three.")
    assert past.before(75, 95, 100) == LeftContext(0, "One. Two. Three.")
    assert past.before(75, 95, 70) == LeftContext(25, "Two. Three.")
    assert past.before(95, 99, 100) == LeftContext(95)


def test_what_is_not_written_is_heard_again_only_behind_what_is() -> None:
    """A sentence that was cut goes on without a capital and ends without a mark."""
    past = past_of("When she came", "to the river of which", "they had told her so much")
    assert past.before(75, 95, 100).start == 0
    assert past.before(75, 95, 70) == LeftContext(75)
    assert past_of("replied he replied he").before(25, 45, 100) == LeftContext(25)


def test_a_session_does_not_go_on_in_a_style_without_capitals_and_marks() -> None:
    def small(request: DecodeRequest) -> DecodeResult:
        heard = scripted(request)
        return heard if driver.finals else replace(heard, text=heard.text.lower())

    driver = Driver(small)
    driver.hear(pcm16(speech(2), silence(1), speech(5, seed=2), silence(1), speech(2, seed=3), silence(1)))
    first, second, _ = driver.finals
    assert first.text.islower()
    finals = [r for r in driver.requests if r.kind is Kind.FINAL]
    assert all(first.text not in r.context for r in driver.requests)
    assert (finals[-2].left, finals[-2].context) == ("", "")
    assert second.text in finals[-1].left
