"""What is committed of an open utterance, and when: `python -m bench.experiments.commit_policy --data DIR
[--model NAME]`.

Every utterance is decoded as partials are, each half second of its audio up to its end, with what was said
before and with nothing forced. Policies are then applied to what those decodes said, all to the same ones:
local agreement of n hypotheses or over a span of audio, a frontier in front of which words must end, words
that are sure enough to need no agreement, and words held back. Decodes take no time here, so a wait is that
of the policy alone.

A committed word is wrong where the final, which nothing was forced upon, does not say it; the word errors are
those of the committed text and what the final says behind it.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import environment
from bench.dataset import Program, load, programs
from bench.scoring import Spread, shown, word_errors, words_of
from bench.virtual import play
from shared.audio.pcm import Float32, pcm16_to_float, to_samples, to_seconds
from shared.events import Final, Word
from shared.models import resolve
from worker.core.decode import DecodeRequest, Kind
from worker.core.effects import SessionOptions
from worker.core.hypothesis import common_prefix, keep_stable, spliced, units
from worker.core.past import Past, Said
from worker.engine.api import Engine, EngineOptions, make_engine


@dataclass(frozen=True, slots=True)
class Step:
    """What one decode of an open utterance said that listened up to `heard_s`; times in seconds of the
    session."""

    heard_s: float
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance: its final, and what its partials said."""

    final: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """When words are committed."""

    name: str
    hypotheses: int = 1
    """That must agree, the newest included."""
    span_s: float = 0.0
    """Audio over which all must agree, and the one before; besides `hypotheses`."""
    hold_back: int = 0
    """Words at the end that are not committed."""
    frontier_s: float = -1.0
    """What must have been heard behind the end of a word."""
    sure: float = 2.0
    """Probability from which a word needs no agreement, 0.6 s further behind."""


SURE_BEHIND_S = 0.6
POLICIES = (
    Policy("2 agree", 2),
    Policy("2 agree, 3 words held back", 2, hold_back=3),
    Policy("2 agree, frontier 0.3 s", 2, frontier_s=0.3),
    Policy("2 agree, frontier 1 s", 2, frontier_s=1.0),
    Policy("2 agree, frontier 0.3 s, or p ≥ 0.9", 2, frontier_s=0.3, sure=0.9),
    Policy("3 agree", 3),
    Policy("3 agree, frontier 0.3 s", 3, frontier_s=0.3),
    Policy("2 words held back, no agreement", hold_back=2),
    Policy("frontier 0.3 s, no agreement", frontier_s=0.3),
    Policy("frontier 2 s, no agreement", frontier_s=2.0),
    Policy("all of 1.5 s, 3 words held back", span_s=1.5, hold_back=3),
    Policy("all of 2.5 s", span_s=2.5),
    Policy("all of 2.5 s, frontier 0.3 s", span_s=2.5, frontier_s=0.3),
    Policy("all of 2.5 s, 3 words held back", span_s=2.5, hold_back=3),
    Policy("all of 2.5 s, 3 words held back, or p ≥ 0.9", span_s=2.5, hold_back=3, frontier_s=0.3, sure=0.9),
    Policy("all of 3.5 s, 5 words held back", span_s=3.5, hold_back=5),
)


def _behind(stable: Sequence[str], said: Sequence[Word]) -> Sequence[Word]:
    """The words that stand behind the committed ones."""
    if not stable:
        return said
    before, text = " ".join(stable), " ".join(word.text for word in said)
    whole = keep_stable(before, text) or spliced(before, text)
    fresh = len(units(whole)) - len(units(before))
    return said[len(said) - fresh :]


def _agreed(policy: Policy, stable: Sequence[str], steps: Sequence[Step]) -> int:
    """How many words behind the committed ones all the hypotheses share that must."""
    newest = steps[-1]
    count = policy.hypotheses
    if policy.span_s:
        from_s = newest.heard_s - policy.span_s
        if steps[0].heard_s > from_s:
            return 0
        count = max(count, 1 + sum(step.heard_s > from_s for step in steps))
    if count > len(steps):
        return 0
    said = [[word.text for word in _behind(stable, step.words)] for step in steps[-count:]]
    return min(common_prefix(words, said[-1]) for words in said)


def committed(policy: Policy, steps: Sequence[Step]) -> list[tuple[str, float]]:
    """The words that are committed before the utterance is over, and how long after its end each was."""
    stable: list[str] = []
    found: list[tuple[str, float]] = []
    for number, step in enumerate(steps, 1):
        fresh = _behind(stable, step.words)
        count = min(_agreed(policy, stable, steps[:number]), len(fresh) - policy.hold_back)
        limit_s = step.heard_s - policy.frontier_s
        behind = next((n for n, word in enumerate(fresh) if word.end > limit_s), len(fresh))
        count = max(0, min(count, behind))
        while count < len(fresh) and _is_sure(policy, fresh[count], limit_s):
            count += 1
        for word in fresh[:count]:
            stable.append(word.text)
            found.append((word.text, step.heard_s - word.end))
    return found


def _is_sure(policy: Policy, word: Word, limit_s: float) -> bool:
    return word.probability >= policy.sure and word.end <= limit_s - SURE_BEHIND_S


def figures(policy: Policy, spoken: Sequence[Spoken], reference: str) -> dict[str, Any]:
    """One line of the table."""
    texts: list[str] = []
    waits: list[float] = []
    words = wrong = conflicts = 0
    for utterance in spoken:
        found = committed(policy, utterance.steps)
        stable = " ".join(text for text, _ in found)
        kept = keep_stable(stable, utterance.final)
        conflicts += kept is None
        texts.append(kept if kept is not None else spliced(stable, utterance.final))
        said = words_of(stable)
        words += len(said)
        wrong += len(said) - len(shown(said, words_of(utterance.final)))
        waits += [wait_s for _, wait_s in found]
    wait = Spread.of(waits)
    return {
        "committed": words / sum(len(words_of(utterance.final)) for utterance in spoken),
        "wrong": wrong / max(1, words),
        "conflicts": conflicts,
        "wer": word_errors(reference, " ".join(texts)).rate,
        "wait_s": (wait.p50, wait.p95),
    }


def listen(engine: Engine, program: Program, options: SessionOptions, *, step_s: float) -> list[Spoken]:
    """Find the utterances, and decode each as it grows."""
    (found,) = play(engine, [program], options, partials=False, free=True).arrivals
    audio = pcm16_to_float(program.pcm16)
    past = Past(reach_samples=to_samples(options.final_window_s), gap_samples=to_samples(options.left_gap_s))
    spoken: list[Spoken] = []
    for final in (a.event for a in found if isinstance(a.event, Final) and a.event.text):
        start, end = to_samples(final.start), to_samples(final.end)
        steps = tuple(_steps(engine, audio, past, start, end, options, step_s=step_s))
        spoken.append(Spoken(final.text, steps))
        past.add(Said(start, end, final.text))
    return spoken


def _steps(
    engine: Engine,
    audio: Float32,
    past: Past,
    start: int,
    end: int,
    options: SessionOptions,
    *,
    step_s: float,
) -> Iterator[Step]:
    first = start + to_samples(options.endpoint.pre_roll_s + step_s)
    for heard in range(first, end, to_samples(step_s)):
        left = past.before(start, heard, to_samples(options.partial_window_s))
        request = DecodeRequest(
            kind=Kind.PARTIAL,
            audio=audio[left.start : heard],
            language="en",
            left=left.text,
            left_s=to_seconds(start - left.start),
            words=True,
            beam=options.partial_beam,
        )
        (result,) = engine.decode([request])
        if result.text and not result.runaway:
            yield Step(
                to_seconds(heard), tuple(_moved(word, to_seconds(left.start)) for word in result.words)
            )


def _moved(word: Word, by_s: float) -> Word:
    return Word(text=word.text, start=word.start + by_s, end=word.end + by_s, probability=word.probability)


def main() -> None:
    """Decode once, apply all policies, print."""
    parser = argparse.ArgumentParser(description="Commit policies on the same hypotheses.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--step", type=float, default=0.5, help="seconds of audio between two decodes")
    options = parser.parse_args()
    path = resolve(options.model).path
    engine = make_engine("faster_whisper", EngineOptions(model=options.model, path=path, device="cpu"))
    engine.prepare()
    (program,) = programs(load(options.data), count=1, seconds=options.minutes * 60)
    spoken = listen(engine, program, SessionOptions(), step_s=options.step)
    reference = " ".join(passage.text for passage in program.passages)
    whole = word_errors(reference, " ".join(utterance.final for utterance in spoken)).rate
    print(json.dumps(environment.describe()))
    print(f"{len(spoken)} utterances, {sum(len(s.steps) for s in spoken)} hypotheses, finals {whole:.1%}")
    print("| policy | committed early | of that wrong | finals against it | WER | waited p50 / p95, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for policy in POLICIES:
        row = figures(policy, spoken, reference)
        p50, p95 = row["wait_s"]
        print(
            f"| {policy.name} | {row['committed']:.0%} | {row['wrong']:.1%} | {row['conflicts']} "
            f"| {row['wer']:.1%} | {p50:.2f} / {p95:.2f} |"
        )


if __name__ == "__main__":
    main()
