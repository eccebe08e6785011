"""The pure parts of the experiments: what a policy commits, which pauses lie inside a clip, and a memory of
answers that changes none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy import score
from bench.answers import Answers, Remembered
from bench.dataset import Passage, Program
from bench.experiments.commit_policy import POLICIES, Policy, Spoken, Step, committed, figures
from bench.experiments.finals import ended_inside
from bench.experiments.session_options import variant
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


def test_answers_outlive_the_process_and_belong_to_their_engine(tmp_path: Path) -> None:
    kept, engine = tmp_path / "answers", Counting()
    request = DecodeRequest(kind=Kind.FINAL, audio=np.zeros(1600, np.float32))
    first = Remembered(engine, Answers(kept, "this engine")).decode([request])
    with kept.open("a", encoding="utf-8") as file:
        file.write('{"question": "cut off while it was wri')
    again = Answers(kept, "this engine")
    assert len(again) == 1
    assert Remembered(engine, again).decode([request]) == first
    assert engine.asked == 1
    with pytest.raises(ValueError, match="another engine"):
        Answers(kept, "that engine")


def test_a_passage_is_scored_beside_the_baseline() -> None:
    said = Passage(name="", language="en", text="a red fox is in the green box", pcm16=b"")
    row = score(said, "a red fax is in green box", "a red fox is on the the green box")
    assert (row.ours.substitutions, row.ours.deletions, row.ours.insertions, row.ours.words) == (1, 1, 0, 8)
    assert (row.baseline.substitutions, row.baseline.insertions) == (1, 1)
    assert [(b.words, b.ours, b.baseline) for b in row.blocks] == [(8, 2, 2)]
    assert row.differing == (
        "worse at 2: 'fox' as 'fax', baseline 'fox'",
        "better at 4: 'in the' as 'in', baseline 'on the the'",
    )


def test_a_variant_sets_options_of_sessions_and_endpoints_as_what_they_are() -> None:
    found = variant("partial_share=0.5,window_keep_units=0,start_frames=2,silence_s=1")
    assert (found.partial_share, found.window_keep_units) == (0.5, 0)
    assert (found.endpoint.start_frames, found.endpoint.silence_s) == (2, 1.0)
    assert isinstance(found.endpoint.start_frames, int)
    assert isinstance(found.window_keep_units, int)
