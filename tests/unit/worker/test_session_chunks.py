"""Audio that comes in large chunks: partials as soon as it is there, also where an utterance ends in it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.pcm import SAMPLE_RATE
from shared.events import Final, Partial, SessionConfig
from tests.support.machine import Driver, scripted
from tests.support.sound import loudness_vad, pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Decode, SessionOptions, tuned
from worker.core.session import Session
from worker.core.utterance import Utterance

CHUNKED = SessionOptions(partial_early=0.5, partial_beside=True)
TALK = pcm16(silence(0.5), speech(3.8), silence(0.9), speech(2.4, seed=2), silence(1.4))


def _kinds(driver: Driver) -> list[Kind]:
    return [request.kind for request in driver.requests]


def test_a_chunk_that_ends_an_utterance_is_heard_in_a_partial_beside_the_final() -> None:
    driver = Driver(options=CHUNKED, config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(2.3), silence(1.7)), chunk_samples=2 * SAMPLE_RATE)
    assert _kinds(driver) == [Kind.PARTIAL, Kind.PARTIAL, Kind.FINAL]
    beside, final = driver.requests[1:]
    assert beside.duration_s == final.duration_s
    texts = [event for event in driver.events if isinstance(event, Partial | Final)]
    assert [type(event) for event in texts] == [Partial, Partial, Final]
    assert texts[1].end == texts[2].end


def test_without_the_option_there_is_only_the_final() -> None:
    driver = Driver(config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(2.3), silence(1.7)), chunk_samples=2 * SAMPLE_RATE)
    assert _kinds(driver) == [Kind.PARTIAL, Kind.FINAL]


def test_a_short_silence_gets_both_and_an_endpoint_behind_it_neither() -> None:
    driver = Driver(options=CHUNKED, config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(1.6), silence(0.4)), chunk_samples=2 * SAMPLE_RATE)
    assert _kinds(driver) == [Kind.PARTIAL, Kind.FINAL]
    driver.hear(pcm16(silence(1)), chunk_samples=SAMPLE_RATE)
    assert _kinds(driver) == [Kind.PARTIAL, Kind.FINAL]
    assert len(driver.finals) == 1


def test_what_is_beside_commits_nothing_and_the_final_says_what_it_hears() -> None:
    def contrary(request: DecodeRequest) -> DecodeResult:
        if request.kind is Kind.FINAL:
            return DecodeResult(text="something else altogether", language="en")
        return scripted(request)

    driver = Driver(contrary, options=replace(CHUNKED, agree_s=0.0), config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(3.3), silence(0.7)), chunk_samples=4 * SAMPLE_RATE)
    assert [partial.committed for partial in driver.partials] == [0]
    assert driver.finals[0].text == "something else altogether"
    assert _kinds(driver).count(Kind.FINAL) == 1


@pytest.mark.parametrize("config", [SessionConfig(language="en", partials=False), SessionConfig()])
def test_it_is_not_asked_for_where_partials_or_the_language_are_missing(config: SessionConfig) -> None:
    driver = Driver(options=CHUNKED, config=config)
    driver.hear(pcm16(speech(1), silence(1)), chunk_samples=2 * SAMPLE_RATE)
    assert _kinds(driver) == [Kind.FINAL]
    assert tuned(CHUNKED, config).partial_beside == config.partials


def test_what_comes_behind_the_final_is_not_said() -> None:
    session = Session(SessionConfig(language="en"), loudness_vad, options=CHUNKED)
    effects = session.audio(0, pcm16(speech(1), silence(1)))
    beside, final = (effect for effect in effects if isinstance(effect, Decode))
    assert session.newest(beside.ticket) is None
    assert session.decoded(final.ticket, scripted(final.request))
    assert session.decoded(beside.ticket, scripted(beside.request)) == []
    assert session.at_rest


def test_it_is_replaced_where_the_device_has_no_room() -> None:
    session = Session(SessionConfig(language="en"), loudness_vad, options=CHUNKED)
    effects = session.audio(0, pcm16(speech(1), silence(1)))
    beside, final = (effect for effect in effects if isinstance(effect, Decode))
    assert session.decoded(beside.ticket, None) == []
    assert session.decoded(final.ticket, scripted(final.request))
    assert session.at_rest


@given(st.integers(160, 3 * SAMPLE_RATE))
def test_finals_are_the_same_in_chunks_of_any_size(chunk_samples: int) -> None:
    def finals(options: SessionOptions) -> list[tuple[float, float]]:
        driver = Driver(options=options, config=SessionConfig(language="en"))
        driver.hear(TALK, chunk_samples=chunk_samples)
        driver.apply(driver.session.end())
        return [(final.start, final.end) for final in driver.finals]

    assert finals(CHUNKED) == finals(SessionOptions())


@given(step_s=st.floats(0.05, 4), new=st.integers(0, 5 * SAMPLE_RATE), came=st.integers(0, 3 * SAMPLE_RATE))
def test_a_partial_is_early_by_no_more_than_half_a_chunk(step_s: float, new: int, came: int) -> None:
    options = SessionOptions(partial_step_s=step_s)
    utterance = Utterance.begun(0, 0, options)
    heard = utterance.heard + new
    is_due = utterance.is_due(heard, came, replace(options, partial_early=0.5))
    assert utterance.is_due(heard, came, options) == (new >= round(step_s * SAMPLE_RATE))
    if is_due:
        assert new + came / 2 >= step_s * SAMPLE_RATE - 1
        assert new >= min(0.1, step_s) * SAMPLE_RATE - 1
    else:
        assert new < step_s * SAMPLE_RATE


def test_chunks_of_a_second_are_heard_one_by_one_though_more_is_waited_for() -> None:
    options = replace(CHUNKED, partial_step_s=1.1)
    driver = Driver(options=options, config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(4)), chunk_samples=SAMPLE_RATE)
    assert [round(request.own_s) for request in driver.requests] == [1, 2, 3, 4]


def test_a_tight_window_is_asked_for_without_strain() -> None:
    driver = Driver(options=replace(CHUNKED, partial_tight=True), config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(2.3), silence(1.7)), chunk_samples=SAMPLE_RATE)
    assert {(request.kind, request.tight) for request in driver.requests} == {
        (Kind.PARTIAL, True),
        (Kind.FINAL, False),
    }
