"""The pure parts of the experiments: what a policy commits, which pauses lie inside a clip, and a memory of
answers that changes none."""

from collections.abc import Sequence

import numpy as np
import pytest

from bench.answers import Remembered
from bench.dataset import Passage, Program
from bench.experiments.commit_policy import POLICIES, Policy, Spoken, Step, committed, figures
from bench.experiments.finals import ended_inside
from bench.latency import Arrival
from shared.events import SpeechEnd, SpeechStart, Word
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.core.effects import SessionOptions


def step(heard_s: float, text: str, *, probability: float = 0.5) -> Step:
    """A hypothesis whose words take half a second each, from 0 on."""
    said = [
        Word(text=word, start=n / 2, end=(n + 1) / 2, probability=probability)
        for n, word in enumerate(text.split())
    ]
    return Step(heard_s, tuple(said))


GROWING = [
    step(1.0, "a red"),
    step(1.5, "a red fax"),
    step(2.0, "A red fox is"),
    step(2.5, "a red fox is in"),
]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy("", 2), "a red fox is"),
        (Policy("", 2, hold_back=2), "a red fox"),
        (Policy("", 3), "a red"),
        (Policy("", 2, frontier_s=1.0), "a red fox"),
        (Policy("", span_s=1.0), "a red"),
        (Policy("", span_s=9.0), ""),
        (Policy("", hold_back=1), "a red fox is"),
        (Policy("", 4, frontier_s=0.0, sure=0.4), "a red fox"),
    ],
    ids=str,
)
def test_a_policy_commits_what_it_says(policy: Policy, words: str) -> None:
    said = [word for word, _ in committed(policy, GROWING)]
    assert " ".join(said).lower() == words


def test_words_are_committed_once_though_a_later_hypothesis_contradicts() -> None:
    steps = [
        step(1.0, "a red"),
        step(1.5, "a red fox"),
        step(2.0, "the red fox is"),
        step(2.5, "the red fox is in"),
    ]
    assert [word for word, _ in committed(Policy("", 2), steps)] == ["a", "red", "fox", "is"]


def test_waits_and_wrong_words_are_counted() -> None:
    row = figures(Policy("", 2), [Spoken("a red fax is in", tuple(GROWING))], "a red fox is in")
    assert row["committed"] == 4 / 5
    assert row["wrong"] == 1 / 4
    assert row["conflicts"] == 1
    assert row["wer"] == 0.0
    assert row["wait_s"] == (0.75, 1.0)


def test_every_policy_of_the_table_can_be_applied() -> None:
    for policy in POLICIES:
        said = [word.lower() for word, _ in committed(policy, GROWING)]
        assert len(said) <= 5
        assert said[:2] == ["a", "red"][: len(said)]


def test_only_a_pause_within_a_clip_counts_as_inside() -> None:
    passage = Passage(
        name="", language="en", text="", pcm16=bytes(32_000 * 10), clips_s=((0.0, 4.0), (5.0, 10.0))
    )
    program = Program(passages=(passage,), pcm16=passage.pcm16)
    spans = [(0.0, 1.5), (2.0, 4.0), (5.0, 7.0), (8.0, 10.0)]
    arrivals: list[Arrival] = []
    for number, (start, end) in enumerate(spans):
        arrivals.append(Arrival(start, SpeechStart(utterance=number, start=start)))
        arrivals.append(Arrival(end, SpeechEnd(utterance=number, end=end, reason="silence")))
    assert ended_inside(program, arrivals, SessionOptions()) == 2


class Counting:
    """An engine that says how often it was asked."""

    info = EngineInfo(name="", model="", device="cpu", compute_type="int8", languages=("en",))

    def __init__(self) -> None:
        self.asked = 0

    def prepare(self) -> None: ...

    def close(self) -> None: ...

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        self.asked += len(batch)
        return [DecodeResult(text=str(self.asked), language="en") for _ in batch]


def test_the_same_question_is_asked_once_and_another_anew() -> None:
    engine = Counting()
    memory = Remembered(engine)
    noise = np.random.default_rng(1).standard_normal(1600).astype(np.float32)
    one = DecodeRequest(kind=Kind.FINAL, audio=noise)
    others = [
        DecodeRequest(kind=Kind.PARTIAL, audio=noise),
        DecodeRequest(kind=Kind.FINAL, audio=noise, beam=3),
        DecodeRequest(kind=Kind.FINAL, audio=noise[:-1]),
        DecodeRequest(kind=Kind.FINAL, audio=noise, context="before"),
    ]
    first = memory.decode([one])
    assert memory.decode([DecodeRequest(kind=Kind.FINAL, audio=noise.copy())]) == first
    assert engine.asked == 1
    for number, other in enumerate(others, 2):
        memory.decode([other])
        assert engine.asked == number
