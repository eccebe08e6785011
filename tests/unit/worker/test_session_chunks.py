"""Audio that comes in large chunks: partials come with the chunk that is nearest."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.audio.pcm import SAMPLE_RATE
from shared.events import SessionConfig
from tests.support.machine import Driver
from tests.support.sound import pcm16, silence, speech
from worker.core.decode import Kind
from worker.core.effects import SessionOptions
from worker.core.utterance import Utterance

CHUNKED = SessionOptions(partial_early=0.5)
TALK = pcm16(silence(0.5), speech(3.8), silence(0.9), speech(2.4, seed=2), silence(1.4))


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
