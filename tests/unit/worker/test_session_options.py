"""What a client may ask of the session machine, beside the worker's own options."""

import itertools

import pytest

from shared.events import Final, Partial, SessionConfig
from tests.support.machine import Driver, scripted
from tests.support.sound import pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Checkpoint, SessionOptions, tuned
from worker.core.endpointing import EndpointOptions
from worker.rules import LibraryRules


def test_without_a_wish_the_worker_s_options_hold() -> None:
    options = SessionOptions(partial_step_s=0.7, endpoint=EndpointOptions(silence_s=0.4, on=0.6))
    assert tuned(options, SessionConfig()) == options


def test_wishes_replace_the_worker_s_options() -> None:
    config = SessionConfig(endpointing_ms=300, max_utterance_s=8.0, partial_interval_ms=4000)
    options = tuned(SessionOptions(), config)
    assert options.endpoint.silence_s == 0.3
    assert options.endpoint.max_utterance_s == 8.0
    assert options.endpoint.cut_search_s == 4.0
    assert options.partial_step_s == options.partial_step_s_max == 4.0


@pytest.mark.parametrize(("vad", "on", "off"), [(0.0, 0.9, 0.63), (0.5, 0.5, 0.35), (1.0, 0.1, 0.07)])
def test_sensitivity_sets_both_thresholds(vad: float, on: float, off: float) -> None:
    endpoint = tuned(SessionOptions(), SessionConfig(vad=vad)).endpoint
    assert (endpoint.on, endpoint.off) == (pytest.approx(on), pytest.approx(off))


def test_half_sensitivity_is_the_default() -> None:
    endpoint, usual = tuned(SessionOptions(), SessionConfig(vad=0.5)).endpoint, EndpointOptions()
    assert (endpoint.on, endpoint.off) == (pytest.approx(usual.on), pytest.approx(usual.off))


def test_a_shorter_endpoint_gives_more_utterances() -> None:
    talk = pcm16(*(part for n in range(4) for part in (speech(1.5, seed=n + 1), silence(0.5))), silence(1))
    counts: list[int] = []
    for endpointing_ms in (300, 800):
        driver = Driver(config=SessionConfig(endpointing_ms=endpointing_ms))
        driver.hear(talk)
        driver.apply(driver.session.end())
        counts.append(len(driver.finals))
    assert counts == [4, 1]


def test_endless_speech_is_cut_where_the_client_wants() -> None:
    driver = Driver(config=SessionConfig(max_utterance_s=5.0))
    driver.hear(pcm16(speech(30), silence(1)))
    assert len(driver.finals) >= 6
    assert all(2.5 <= final.end - final.start <= 5.1 for final in driver.finals[:-1])


def test_partials_keep_the_interval() -> None:
    driver = Driver(config=SessionConfig(partial_interval_ms=2000))
    driver.hear(pcm16(speech(9)))
    heard = [r.duration_s for r in driver.requests]
    assert all(after - before >= 1.99 for before, after in itertools.pairwise(heard))


def test_decodes_are_told_what_concerns_them() -> None:
    driver = Driver(
        config=SessionConfig(languages=("de", "en"), temperature=0.4, numerals="spoken", hotwords="Ada")
    )
    driver.hear(pcm16(speech(3), silence(1)))
    assert {(r.kind, r.temperature) for r in driver.requests} == {(Kind.PARTIAL, 0.0), (Kind.FINAL, 0.4)}
    assert {(r.languages, r.no_digits, r.hotwords) for r in driver.requests} == {(("de", "en"), True, "Ada")}


COUNTED = (
    "we counted two hundred and five shit men and then twenty three more of them came to one house "
    "and nine thousand four hundred and two others were seen behind it before the first day was"
)


def counting(request: DecodeRequest) -> DecodeResult:
    """Two words a second."""
    count = int((request.duration_s - request.left_s) * 2)
    words = COUNTED.split()[:count]
    text = request.prefix + "".join(f" {word}" for word in words[len(request.prefix.split()) :])
    return DecodeResult(text=text.strip(), language="en", avg_logprob=-0.1)


WRITTEN = SessionConfig(language="en", numerals="digits", profanity="mask")


def test_numbers_and_profanity_are_written_as_asked_and_committed_text_stays() -> None:
    driver = Driver(counting, WRITTEN, rules=LibraryRules())
    driver.hear(pcm16(speech(18), silence(1), speech(6, seed=2), silence(1)))
    first, second = driver.finals
    assert first.text == (
        "we counted 205 s*** men and then 23 more of them came to one house "
        "and 9402 others were seen behind it before the first day was"
    )
    for final in (first, second):
        shown = ""
        for partial in (p for p in driver.partials if p.utterance == final.utterance):
            assert partial.text.startswith(shown)
            assert partial.committed >= len(shown)
            shown = partial.text[: partial.committed]
        assert len(shown) > 3
        assert final.text.startswith(shown)
    assert second.offset == len(first.text) + 1
    transcript = ""
    for event in driver.events:
        if isinstance(event, Partial | Final):
            transcript = transcript.ljust(event.offset)[: event.offset] + event.text
    assert transcript == f"{first.text} {second.text}"


def test_decodes_go_on_from_what_was_heard_and_not_from_what_was_written() -> None:
    driver = Driver(counting, WRITTEN, rules=LibraryRules())
    driver.hear(pcm16(speech(18), silence(1), speech(2, seed=2), silence(1)))
    given = " ".join(f"{r.prefix} {r.left} {r.context}" for r in driver.requests)
    assert "two hundred and five shit" in given
    assert not any(c.isdigit() or c == "*" for c in given)


def test_a_successor_keeps_to_what_its_predecessor_has_written() -> None:
    driver = Driver(counting, WRITTEN, rules=LibraryRules())
    driver.hear(pcm16(speech(12)))
    left = driver.left
    assert left is not None
    shown = driver.partials[-1].text[: driver.partials[-1].committed]
    assert shown.startswith("we counted 205 s***")
    successor = Driver(counting, WRITTEN, rules=LibraryRules(), checkpoint=left)
    successor.hear(pcm16(speech(18), silence(1)))
    assert all(partial.text.startswith(shown) for partial in successor.partials)
    assert successor.finals[0].text.startswith(shown)


def test_text_that_an_older_worker_has_shown_stays_as_it_was_heard() -> None:
    left = Checkpoint(started=1, stable="we counted two hundred and", shown_heard=None)
    driver = Driver(counting, WRITTEN, rules=LibraryRules(), checkpoint=left)
    driver.hear(pcm16(speech(6), silence(1)))
    assert driver.finals[0].text.startswith("we counted two hundred and")


def test_scripted_words_of_a_number_come_as_one() -> None:
    def timed(request: DecodeRequest) -> DecodeResult:
        texts = iter(["twenty", "three", "men"])
        result = scripted(request)
        words = tuple(
            type(word)(text=text, start=word.start, end=word.end, probability=word.probability)
            for text, word in zip(texts, result.words, strict=False)
        )
        return DecodeResult(text="twenty three men", language="en", words=words)

    config = SessionConfig(language="en", numerals="digits", words=True, partials=False)
    driver = Driver(timed, config, rules=LibraryRules())
    driver.hear(pcm16(speech(2), silence(1)))
    (final,) = driver.finals
    assert final.text == "23 men"
    assert [word.text for word in final.words or ()] == ["23", "men"]
