"""Counts that add up, and what is read from them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tally import SIZES, Counts, Tally, merged, sample, step_of

lags = st.floats(0.0, 100.0, allow_nan=False)
counts = st.dictionaries(st.sampled_from(["w3", "w9", "b1", "b4", "d", "t", "xloop"]), st.integers(0, 9))


def counted(words: list[float]) -> dict[str, float]:
    tally = Tally()
    tally.words(words)
    return tally.take()


@given(st.lists(lags.filter(lambda lag: 0.05 < lag < 40), min_size=1))
def test_percentiles_are_right_to_a_step(words: list[float]) -> None:
    found = sample(0, 10, counted(words))
    for part, value in ((0.5, found.word_p50_s), (0.95, found.word_p95_s)):
        true = sorted(words)[math.ceil(part * len(words)) - 1]
        assert value == pytest.approx(true, rel=0.07, abs=0.001)


@given(st.lists(lags), st.lists(lags))
def test_words_of_two_workers_are_those_of_one_that_did_both(left: list[float], right: list[float]) -> None:
    assert merged([counted(left), counted(right)]) == merged([counted(left + right)])


@given(st.lists(counts, max_size=4))
def test_the_order_of_parts_does_not_matter(parts: list[Counts]) -> None:
    assert merged(parts) == merged(reversed(parts))


@given(lags)
def test_steps_grow_with_the_latency_and_are_bounded(lag: float) -> None:
    assert 0 <= step_of(lag) <= step_of(lag * 1.2) <= 60


def test_batches_busy_time_and_drops() -> None:
    tally = Tally()
    for decodes, took_s in ((1, 0.5), (3, 1.0), (4, 1.0), (100, 2.5)):
        tally.batch(decodes, took_s)
    tally.dropped("loop")
    tally.passed(10.0, sessions=3, threads=2)
    found = sample(20, 10, tally.take())
    assert found.batch_sizes == {"1": 1, "4": 2, str(SIZES[-1]): 1}
    assert found.batch_mean == 27.0
    assert found.busy == 0.25
    assert found.sessions == 3.0
    assert found.drops == {"loop": 1}
    assert tally.take() == {}


def test_nothing_has_no_percentiles() -> None:
    found = sample(0, 10, {})
    assert (found.words, found.word_p50_s, found.busy, found.batch_mean) == (0, None, None, None)
