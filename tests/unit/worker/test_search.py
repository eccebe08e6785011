"""Beam search over a model that is a table: which hypotheses go on, which is the text."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.prompt import Heard
from worker.engine.search import BeamSearch, Expected

A, B, C, END, STAMP = range(5)
Model = Mapping[tuple[int, ...], Mapping[int, float]]
"""Probabilities of the next token by the text so far; what is not named ends."""


def expected(model: Model, said: tuple[int, ...], count: int) -> Expected:
    following = sorted(model.get(said, {END: 1.0}).items(), key=lambda item: -item[1])[:count]
    return Expected([token for token, _ in following], [math.log(p) for _, p in following])


def search(model: Model, *, beam: int, budget: int = 10) -> Heard:
    going = BeamSearch(beam=beam, budget=budget, end=END)
    while live := going.live:
        going.advance([expected(model, said, going.wanted) for said in live])
        assert all(said[:-1] == live[parent] for said, parent in zip(going.live, going.parents, strict=True))
        assert len(going.live) <= beam
    return going.heard


LATE: Model = {
    (): {A: 0.6, B: 0.4},
    (A,): {A: 0.5, B: 0.5},
    (B,): {C: 0.9, END: 0.1},
}
"""What begins less likely ends likelier."""


def test_one_beam_takes_the_likeliest_token_each_time() -> None:
    assert search(LATE, beam=1).tokens in {(A, A), (A, B)}


def test_two_beams_find_what_begins_less_likely() -> None:
    heard = search(LATE, beam=2)
    assert heard.tokens == (B, C)
    assert heard.avg_logprob == pytest.approx((math.log(0.4) + math.log(0.9)) / 3)


def test_what_ends_makes_room_for_what_goes_on() -> None:
    model: Model = {(): {A: 0.5, B: 0.3, C: 0.2}, (A,): {END: 0.9, A: 0.1}, (B,): {END: 0.6, B: 0.4}}
    going = BeamSearch(beam=2, budget=10, end=END)
    going.advance([expected(model, (), 4)])
    assert going.live == [(A,), (B,)]
    going.advance([Expected([END, A], [-0.1, -2.3]), Expected([B, C], [-0.9, -1.0])])
    assert going.live == [(B, C), (B, B)]
    assert going.parents == [1, 1]


def test_the_mean_decides_among_what_has_ended() -> None:
    short_and_long: Model = {
        (): {A: 0.5, B: 0.5},
        (A,): {END: 0.6, C: 0.4},
        (B,): {B: 0.9},
        (B, B): {END: 0.9},
    }
    assert search(short_and_long, beam=2).tokens == (B, B)


def test_no_text_is_the_last_resort_of_several_and_what_one_beam_finds() -> None:
    silent: Model = {(): {END: 0.9, A: 0.1}}
    assert search(silent, beam=1) == Heard((), 0.0)
    assert search(silent, beam=2).tokens == (A,)


def test_the_budget_ends_the_search() -> None:
    assert search({(A,) * n: {A: 1.0} for n in range(50)}, beam=3, budget=4).tokens == (A, A, A, A)


def test_tokens_that_mark_times_are_no_text() -> None:
    heard = search({(): {STAMP: 1.0}, (STAMP,): {A: 0.5}}, beam=1)
    assert heard.tokens == (A,)


def test_one_token_that_was_drawn_is_enough_to_go_on() -> None:
    going = BeamSearch(beam=1, budget=5, end=END)
    for token in (B, A, END):
        going.advance([Expected([token], [-1.0])])
    assert going.heard == Heard((B, A), -1.0)


@given(st.data(), st.integers(1, 4), st.integers(1, 5))
def test_any_model_is_searched_to_an_end(data: st.DataObject, beam: int, budget: int) -> None:
    model: dict[tuple[int, ...], dict[int, float]] = {}
    going = BeamSearch(beam=beam, budget=budget, end=END)
    steps = 0
    while live := going.live:
        for said in live:
            weights = data.draw(st.lists(st.floats(0.01, 1), min_size=5, max_size=5))
            model[said] = {token: weight / sum(weights) for token, weight in enumerate(weights)}
        going.advance([expected(model, said, going.wanted) for said in live])
        steps += 1
    assert steps <= budget
    assert len(going.heard.tokens) <= budget
    assert going.heard.avg_logprob <= 0
