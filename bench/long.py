"""Half an hour of speech without a break, on the virtual clock.

`python -m bench.long --data DIR --baseline FILE` joins the recordings of the data folder without pauses,
plays them as one session, and prints for every five minutes: word errors beside those of plain faster-whisper
on the same audio, how long words took to the screen, and what the session machine held. Long runs of deleted
or inserted words are stretches that went missing or were said twice.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from bench import environment
from bench.baseline import Baseline, gold_words, keep, kept, measure
from bench.dataset import Passage, Program
from bench.experiments.rows import remembering
from bench.latency import Arrival, delays, transcript
from bench.memory import held_bytes
from bench.scoring import Spread, WordErrors, errors_by_word, normalise
from bench.virtual import Played, Setting, play
from shared.audio.media import decode_chunks
from shared.audio.pcm import SAMPLE_BYTES, to_samples, to_seconds
from worker.core.effects import SessionOptions
from worker.core.session import Session
from worker.engine.api import Engine

SLICE_S = 300.0
STRETCH_WORDS = 8
"""Words that are missing, or inserted, in a row, from which on it is a stretch and no mishearing."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of the data folder."""

    text: str
    pcm16: bytes

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return to_seconds(len(self.pcm16) // SAMPLE_BYTES)


@dataclass(frozen=True, slots=True)
class Slice:
    """Five minutes of the session."""

    errors: WordErrors
    offline: WordErrors
    first: Spread
    final: Spread
    held_bytes: int
    """Most that the session machine held."""


def clips(folder: Path, *, minutes: float, longest_s: float = math.inf) -> list[Clip]:
    """Read texts, read aloud and spoken, in turns of their kinds, so that every part has some of each; none
    longer than `longest_s`."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    english = [row for row in rows if row["language"] == "en" and row["text"]]
    # The DAISY book's text is not what is read (see the folder's README).
    long = [row for row in english if row["kind"] == "long" and "daisy" not in row["audio"]]
    readers = [row for row in english if row["kind"] == "utterance" and "librispeech" in row["audio"]]
    chosen: list[Clip] = []
    length_s = 0.0
    for row in _in_turns(readers, long):
        if length_s < minutes * 60:
            # The normaliser leaves out what stands in brackets; here it is read aloud.
            text = row["text"].translate({ord(bracket): " " for bracket in "()[]"})
            clip = Clip(text, b"".join(decode_chunks(folder / row["audio"])))
            if clip.duration_s <= longest_s:
                chosen.append(clip)
                length_s += clip.duration_s
    return chosen


def _in_turns(readers: list[dict[str, Any]], long: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The long recordings spread evenly among the readers' sentences."""
    share = -(-len(readers) // max(1, len(long)))
    for place, row in enumerate(readers):
        yield row
        if place % share == 0 and place // share < len(long):
            yield long[place // share]


def reference_times(chosen: Sequence[Clip]) -> tuple[list[str], list[float]]:
    """The words of all texts in the form in which errors are counted, and about when each is said: evenly
    over its recording."""
    words: list[str] = []
    times: list[float] = []
    at_s = 0.0
    for clip in chosen:
        said = normalise(clip.text).split()
        words += said
        times += [at_s + clip.duration_s * (i + 0.5) / len(said) for i in range(len(said))]
        at_s += clip.duration_s
    return words, times


@dataclass(frozen=True, slots=True)
class Aligned:
    """A text against the reference: errors by slice, and the long runs."""

    errors: list[WordErrors]
    stretches: list[str]


def align(reference: Sequence[str], times: Sequence[float], text: str, slices: int) -> Aligned:
    """Count each error where its reference word stands; an insertion where the next one does."""
    said = normalise(text).split()
    errors = errors_by_word(reference, said)
    place = [_slice(time_s, slices) for time_s in times]
    counts = np.zeros((slices, 4), int)  # substitutions, deletions, insertions, words
    np.add.at(counts, place, np.column_stack([errors, np.ones(len(reference), int)]))
    return Aligned([WordErrors(*map(int, row)) for row in counts], list(_stretches(reference, said, times)))


def _stretches(reference: Sequence[str], said: Sequence[str], times: Sequence[float]) -> Iterator[str]:
    for chunk in jiwer.process_words(" ".join(reference), " ".join(said)).alignments[0]:
        length = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        if chunk.type in ("insert", "delete") and length >= STRETCH_WORDS:
            yield f"{length} words {chunk.type}d at {times[min(chunk.ref_start_idx, len(times) - 1)]:.0f} s"


def _slice(time_s: float, slices: int) -> int:
    return min(int(time_s // SLICE_S), slices - 1)


class Held:
    """Watches what the session machine holds, by slice of its own audio."""

    def __init__(self) -> None:
        self.by_slice: dict[int, int] = {}
        self._last = -1

    def __call__(self, session: Session) -> None:
        second = int(to_seconds(session.received))
        if second != self._last:
            self._last = second
            number = int(second // SLICE_S)
            self.by_slice[number] = max(self.by_slice.get(number, 0), held_bytes(session))


def slices_of(
    arrivals: list[Arrival], chosen: Sequence[Clip], baseline: Baseline, passage: Passage, held: Held
) -> tuple[list[Slice], list[str]]:
    """Everything about each slice, and the stretches that are missing or too many."""
    count = max(1, int(passage.duration_s // SLICE_S))
    words, times = reference_times(chosen)
    ours = align(words, times, transcript(arrivals), count)
    offline = align(words, times, baseline.of(passage).text, count)
    waits = delays(arrivals, gold_words(passage, baseline.of(passage)))
    return [
        Slice(
            errors=ours.errors[n],
            offline=offline.errors[n],
            first=Spread.of([s for s, at in _timed(waits.first_s, waits.ends_s) if _slice(at, count) == n]),
            final=Spread.of(
                [s for s, at in _timed(waits.final_s, waits.last_ends_s) if _slice(at, count) == n]
            ),
            held_bytes=max(held.by_slice.get(n, 0), held.by_slice.get(n + 1, 0) if n == count - 1 else 0),
        )
        for n in range(count)
    ], ours.stretches


def _timed(values: Sequence[float], at_s: Sequence[float]) -> Iterator[tuple[float, float]]:
    yield from zip(values, at_s, strict=True)


def table(slices: Sequence[Slice], stretches: Sequence[str]) -> str:
    """The figures for a person, as Markdown."""
    rows = [
        "| minutes | words | WER | faster-whisper | word shown p50 / p95, s | final p95, s | held, kB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for number, part in enumerate(slices):
        first_min = round(number * SLICE_S / 60)
        cells = (
            f"{first_min} to {first_min + round(SLICE_S / 60)}",
            str(part.errors.words),
            f"{part.errors.rate:.1%}",
            f"{part.offline.rate:.1%}",
            f"{part.first.p50:.2f} / {part.first.p95:.2f}",
            f"{part.final.p95:.2f}",
            f"{part.held_bytes / 1000:.0f}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    rows.append("")
    rows.append("missing or repeated: " + ("; ".join(stretches) or "none"))
    return "\n".join(rows)


def joined(chosen: Sequence[Clip]) -> Passage:
    """The recordings one after another, without a pause."""
    text = " ".join(clip.text for clip in chosen)
    return Passage(name="long", language="en", text=text, pcm16=b"".join(clip.pcm16 for clip in chosen))


def listen(engine: Engine, passage: Passage, options: SessionOptions, setting: Setting) -> Played:
    """One session that hears it, and two seconds of silence."""
    program = Program(passages=(passage,), pcm16=passage.pcm16 + bytes(to_samples(2.0) * SAMPLE_BYTES))
    return play(engine, [program], options, setting=setting)


def baseline_of(passage: Passage, model: str, path: Path) -> Baseline:
    """Plain faster-whisper on it, kept at `path`."""
    chosen = {"model": model, "compute_type": "int8"}
    found = kept(path, [passage], **chosen)
    if found is None:
        print("measuring the baseline", file=sys.stderr)
        found = measure([passage], **chosen, threads=1)
        keep(found, path)
    return found


def main() -> None:
    """Play, print, and keep."""
    parser = argparse.ArgumentParser(description="Long speech in one session, by slices of five minutes.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--cost", default="cpu-zen4-base", help="a table of bench/costs: what decodes take")
    parser.add_argument("--baseline", type=Path, required=True, help="kept here, or taken from here")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="keep decodes here: a run that was ended goes on"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = clips(options.data, minutes=options.minutes)
    passage = joined(chosen)
    baseline = baseline_of(passage, options.model, options.baseline)
    engine = remembering(options.model, options.answers)
    held = Held()
    played = listen(engine, passage, SessionOptions(), Setting(watch=held, cost=options.cost))
    slices, stretches = slices_of(played.arrivals[0], chosen, baseline, passage, held)
    minutes, decoding_s = passage.duration_s / 60, sum(played.cpu_s.values())
    print(f"{minutes:.1f} minutes, {len(chosen)} recordings, {decoding_s:.0f} s of decoding")
    print(table(slices, stretches))
    print("dropped:", dict(played.dropped))
    if options.json:
        kept_run = {
            "environment": environment.describe(),
            "text": transcript(played.arrivals[0]),
            "slices": [repr(part) for part in slices],
            "stretches": stretches,
        }
        options.json.write_text(json.dumps(kept_run, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
