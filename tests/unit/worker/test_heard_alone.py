"""Finals that are not believed, heard once more by themselves: the session machine, driven by hand."""

import pytest

from shared.events import SessionConfig, Word
from tests.support.machine import Driver, scripted
from tests.support.sound import pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Alone, SessionOptions
from worker.core.filters import Drop
from worker.engine.scripted import words_of

ENGLISH = SessionConfig(language="en", partials=False)
TALK = pcm16(silence(1), speech(3), silence(1), speech(2, seed=2), silence(1))


def believed_alone(request: DecodeRequest) -> DecodeResult:
    """Unsure of all that is said behind something else."""
    if request.left or request.context:
        return DecodeResult(text="today", language="en", avg_logprob=-2.2)
    return scripted(request)


def finals_asked(driver: Driver) -> list[DecodeRequest]:
    return [request for request in driver.requests if request.kind is Kind.FINAL]


def test_it_is_given_nothing_of_what_was_said_before_and_says_what_it_hears() -> None:
    driver = Driver(believed_alone, config=ENGLISH)
    driver.hear(TALK)
    first, second = driver.finals
    assert first.text
    behind, alone = finals_asked(driver)[-2:]
    assert behind.left == first.text
    assert (alone.left, alone.left_s, alone.context, alone.prefix) == ("", 0.0, "", "")
    assert second.text == " ".join(words_of(alone.audio))
    assert driver.alone == [Alone(is_believed=True)]
    assert [drop.reason for drop in driver.dropped if drop.kind is Kind.FINAL] == [Drop.LOGPROB]


def test_it_begins_a_second_earlier_but_not_before_what_is_decided() -> None:
    pauses: dict[float, float] = {}
    for pause_s in (0.9, 3.0):
        driver = Driver(believed_alone, config=ENGLISH)
        driver.hear(pcm16(speech(3), silence(pause_s), speech(2, seed=2), silence(1)))
        first, second = driver.finals
        alone = finals_asked(driver)[-1]
        pauses[pause_s] = alone.duration_s - (second.end - second.start)
        assert alone.duration_s <= second.end - first.end + 0.001
    assert pauses[3.0] == pytest.approx(1.0, abs=0.001)
    assert 0.2 <= pauses[0.9] < 0.9


def test_words_of_one_that_begins_earlier_stand_where_they_are_said() -> None:
    driver = Driver(believed_alone, config=SessionConfig(language="en", partials=False, words=True))
    driver.hear(TALK)
    final, alone = driver.finals[-1], finals_asked(driver)[-1]
    assert final.words
    assert final.words[0].start == pytest.approx(final.end - alone.duration_s, abs=0.002)


@pytest.mark.parametrize("logprob", [-0.6, -2.0])
def test_heard_by_itself_it_must_be_surer_and_is_heard_no_third_time(logprob: float) -> None:
    def unsure(request: DecodeRequest) -> DecodeResult:
        is_alone = request.kind is Kind.FINAL and not request.context
        return DecodeResult(text="today", language="en", avg_logprob=logprob if is_alone else -2.2)

    driver = Driver(unsure, config=ENGLISH)
    driver.hear(pcm16(silence(1), speech(3), silence(1)))
    assert [final.text for final in driver.finals] == [""]
    assert len(finals_asked(driver)) == 2
    assert driver.alone == [Alone(is_believed=False)]


def test_an_early_final_is_heard_again_only_when_it_is_due() -> None:
    driver = Driver(lambda r: DecodeResult(text="today", language="en", avg_logprob=-2.2), config=ENGLISH)
    driver.hear(pcm16(speech(3), silence(0.5)))
    assert len(finals_asked(driver)) == 1
    driver.hear(pcm16(speech(1), silence(1)))
    assert len(finals_asked(driver)) == 3
    assert len(driver.alone) == 1


def test_without_the_filters_nothing_is_heard_again() -> None:
    driver = Driver(believed_alone, config=ENGLISH, options=SessionOptions(filters=frozenset()))
    driver.hear(TALK)
    assert driver.finals[-1].text == "today"
    assert driver.alone == []


def test_one_that_does_not_keep_to_what_is_committed_is_forced_by_itself_too() -> None:
    def contrary(request: DecodeRequest) -> DecodeResult:
        if request.kind is Kind.FINAL and not request.prefix:
            is_alone = request.duration_s > 7.0
            return DecodeResult(text="today", language="en", avg_logprob=-0.1 if is_alone else -2.2)
        return scripted(request)

    driver = Driver(contrary, config=SessionConfig(language="en"))
    driver.hear(pcm16(silence(2), speech(6), silence(1)))
    committed = driver.partials[-1].text[: driver.partials[-1].committed]
    free, alone, forced = finals_asked(driver)[-3:]
    assert free.duration_s < alone.duration_s == forced.duration_s
    assert forced.prefix
    assert committed.startswith(forced.prefix)
    assert driver.finals[0].text.startswith(committed)


FIRST = "one two three"
ENDS_TOO_SOON = tuple(
    Word(text=text, start=0.5 * n, end=0.5 * n + 0.4, probability=1.0) for n, text in enumerate(FIRST.split())
)


def behind_the_hole(request: DecodeRequest, *, rest: DecodeResult) -> DecodeResult:
    """Of an utterance of more than seven seconds a text that ends after the first talker's words."""
    if request.duration_s < 4.0:
        return DecodeResult(text="one two", language="en", avg_logprob=-0.1)
    if request.kind is Kind.FINAL and request.duration_s < 7.0:
        return rest
    words = ENDS_TOO_SOON if request.words else ()
    return DecodeResult(text=FIRST, words=words, language="en", avg_logprob=-0.1)


def two_talkers(rest: DecodeResult, *, words: bool = False) -> Driver:
    """One talker's three words, a pause that is no endpoint, and another's."""
    driver = Driver(
        lambda request: behind_the_hole(request, rest=rest), config=SessionConfig(language="en", words=words)
    )
    driver.hear(pcm16(silence(1), speech(1.5), silence(0.2), speech(6, seed=2), silence(1)))
    return driver


def test_speech_that_a_final_leaves_out_at_its_end_is_heard_by_itself() -> None:
    said = (Word(text="four", start=1.0, end=1.5, probability=1.0),)
    rest = DecodeResult(text="four five", words=said, language="en", avg_logprob=-0.2)
    driver = two_talkers(rest, words=True)
    final, alone = driver.finals[0], finals_asked(driver)[-1]
    assert Drop.HOLE in {drop.reason for drop in driver.dropped}
    assert final.text == "one two three four five"
    assert driver.alone == [Alone(is_believed=True)]
    assert (alone.left, alone.context, alone.prefix) == ("", "", "")
    begins = final.end - alone.duration_s
    assert begins == pytest.approx(2.5, abs=0.1)  # in the pause
    assert final.words
    assert final.words[-1].start == pytest.approx(begins + 1.0, abs=0.002)


def test_what_is_not_believed_of_it_is_not_said() -> None:
    driver = two_talkers(DecodeResult(text="today", language="en", avg_logprob=-0.6))
    assert driver.finals[0].text == FIRST
    assert driver.finals[0].words is None
    assert driver.alone == [Alone(is_believed=False)]


def test_without_a_hole_in_partials_finals_are_not_asked_where_their_words_are() -> None:
    driver = Driver(config=SessionConfig(language="en"))
    driver.hear(TALK)
    assert not any(request.words for request in finals_asked(driver))
