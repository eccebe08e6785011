"""Languages of a session that may be in any: found, watched, changed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.events import Final, Language, Partial, SessionConfig
from tests.support.machine import Driver, scripted
from tests.support.sound import pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind

Sound = Callable[[DecodeRequest], tuple[str, float]]
"""What a request's audio sounds like, and how sure that is."""


def hearing(sound: Sound) -> Callable[[DecodeRequest], DecodeResult]:
    """An engine that tells languages as it is told."""

    def answer(request: DecodeRequest) -> DecodeResult:
        language, probability = sound(request)
        result = scripted(request)
        if request.language and not request.detect:
            return replace(result, language=request.language, detected="")
        return replace(
            result,
            language=request.language or language,
            detected=language,
            language_probability=probability,
        )

    return answer


class Speakers:
    """Utterances one after another, each in a language, told with a probability."""

    def __init__(self, *said: tuple[str, float]) -> None:
        self.said = said
        self.number = 0

    def __call__(self, request: DecodeRequest) -> tuple[str, float]:
        return self.said[self.number]

    def play(self, driver: Driver, seconds: float = 4.0) -> None:
        for number in range(len(self.said)):
            self.number = number
            driver.hear(pcm16(speech(seconds, seed=number + 1), silence(1.2)))


def play(*said: tuple[str, float], seconds: float = 4.0, config: SessionConfig | None = None) -> Driver:
    speakers = Speakers(*said)
    driver = Driver(hearing(speakers), config or SessionConfig())
    speakers.play(driver, seconds)
    driver.apply(driver.session.end())
    return driver


def switches(driver: Driver) -> list[tuple[int, str, str]]:
    events = [event for event in driver.events if isinstance(event, Language)]
    return [(event.utterance, event.previous, event.language) for event in events]


def languages(driver: Driver) -> list[str]:
    return [final.language for final in driver.finals]


def test_a_sure_detection_changes_the_language_and_is_reported_before_the_text() -> None:
    driver = play(("en", 0.95), ("de", 0.95), ("de", 0.95))
    assert languages(driver) == ["en", "de", "de"]
    assert switches(driver) == [(1, "en", "de")]
    place = next(i for i, event in enumerate(driver.events) if isinstance(event, Language))
    earlier = [e for e in driver.events[:place] if isinstance(e, Partial | Final) and e.utterance]
    assert all(e.end - e.start < driver.options.language_lock_s for e in earlier)  # too short to tell
    later = [e for e in driver.events[place:] if isinstance(e, Partial | Final) and e.utterance]
    assert {e.language for e in later} == {"de"}


def test_each_utterance_may_be_in_another_language() -> None:
    driver = play(("en", 0.95), ("de", 0.92), ("fr", 0.99), ("en", 0.9))
    assert languages(driver) == ["en", "de", "fr", "en"]
    assert switches(driver) == [(1, "en", "de"), (2, "de", "fr"), (3, "fr", "en")]


def test_without_partials_finals_are_listened_to() -> None:
    driver = play(("en", 0.95), ("de", 0.95), config=SessionConfig(partials=False))
    assert languages(driver) == ["en", "de"]
    assert switches(driver) == [(1, "en", "de")]
    assert [r.detect for r in driver.requests if r.language] == [True, False]


def test_an_unsure_detection_must_be_repeated() -> None:
    assert languages(play(("en", 0.95), ("de", 0.7), ("en", 0.9))) == ["en", "de", "en"]
    once = iter([("de", 0.7)])

    def wavering(request: DecodeRequest) -> tuple[str, float]:
        return next(once, ("en", 0.9)) if request.language else ("en", 0.95)

    driver = Driver(hearing(wavering))
    driver.hear(pcm16(speech(4), silence(1.2), speech(4, seed=2), silence(1.2)))
    assert languages(driver) == ["en", "en"]
    assert switches(driver) == []


def test_a_doubtful_detection_changes_nothing_and_is_given_up() -> None:
    driver = play(("en", 0.95), ("nn", 0.3), seconds=12.0)
    assert languages(driver) == ["en", "en"]
    assert sum(r.detect for r in driver.requests) == driver.options.language_looks


def test_short_utterances_are_taken_to_be_in_the_language_spoken_last() -> None:
    speakers = Speakers(("de", 0.95), ("en", 0.99))
    driver = Driver(hearing(speakers))
    driver.hear(pcm16(speech(4), silence(1.2)))
    speakers.number = 1
    driver.hear(pcm16(speech(1), silence(1.2)))
    assert languages(driver) == ["de", "de"]
    assert not any(r.detect for r in driver.requests if r.duration_s - r.left_s < 2.0)


def test_one_detection_is_enough_for_an_utterance_in_the_same_language() -> None:
    driver = play(("en", 0.95), ("en", 0.6), ("en", 0.95))
    assert [r.detect for r in driver.requests].count(True) == 2


def test_a_partial_that_is_asked_for_its_language_hears_nothing_of_before() -> None:
    driver = play(("en", 0.95), ("en", 0.95))
    partials = [r for r in driver.requests if r.kind is Kind.PARTIAL]
    assert any(r.left for r in partials)
    assert not any(r.left for r in partials if r.detect)


def test_what_was_said_in_another_language_is_neither_context_nor_heard_again() -> None:
    driver = play(("en", 0.95), ("de", 0.95), ("de", 0.95))
    english = driver.finals[0].text
    german = [r for r in driver.requests if r.language == "de"]
    assert german
    assert not any(english.endswith(r.context) for r in german if r.context)
    assert not any(english in r.left for r in german)
    last = [r for r in driver.requests if r.kind is Kind.FINAL][-1]
    assert last.left == driver.finals[1].text


def test_committed_text_keeps_its_utterance_in_its_language() -> None:
    """A detection that comes when text is committed changes the language from the next utterance on."""

    def late(request: DecodeRequest) -> tuple[str, float]:
        if not request.language:
            return ("en", 0.95)
        return ("de", 0.95) if request.duration_s - request.left_s > 4 else ("nn", 0.2)

    driver = Driver(hearing(late), options=replace(Driver().options, language_looks=20))
    driver.hear(pcm16(speech(4), silence(1.2), speech(6, seed=2), silence(1.2), speech(6, seed=3)))
    driver.hear(pcm16(silence(1.2)))
    assert languages(driver)[:2] == ["en", "en"]
    for final in driver.finals:
        for partial in (p for p in driver.partials if p.utterance == final.utterance):
            assert final.text.startswith(partial.text[: partial.committed])


def test_a_given_language_is_never_doubted() -> None:
    driver = play(("de", 0.99), ("fr", 0.99), config=SessionConfig(language="en"))
    assert languages(driver) == ["en", "en"]
    assert not any(r.detect for r in driver.requests)
    assert switches(driver) == []


def test_a_successor_goes_on_in_the_language_and_listens_for_a_change() -> None:
    driver = play(("de", 0.95))
    assert driver.left is not None
    assert driver.left.language == "de"
    speakers = Speakers(("en", 0.95))
    successor = Driver(hearing(speakers), checkpoint=driver.left)
    speakers.play(successor)
    assert successor.requests[0].language == "de"
    assert switches(successor) == [(1, "de", "en")]


@pytest.mark.parametrize("task", ["transcribe", "translate"])
def test_either_task_follows_the_speaker(task: str) -> None:
    driver = play(("de", 0.95), ("fr", 0.95), config=SessionConfig(task=task))
    assert languages(driver) == ["de", "fr"]
    assert {r.task for r in driver.requests} == {task}


def test_an_early_final_in_the_wrong_language_is_decoded_again() -> None:
    driver = play(("en", 0.95), ("de", 0.95), config=SessionConfig(partials=False, endpointing_ms=1000))
    finals = [r for r in driver.requests if r.kind is Kind.FINAL]
    assert [r.language for r in finals] == ["", "en", "de"]
    assert finals[-1].left == ""
