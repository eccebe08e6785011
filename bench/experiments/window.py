"""How long a window must be: `python -m bench.experiments.window --data DIR [--model NAME]`.

Utterances of the data folder are decoded alone, as finals (beam 5, with the second decode of what runs on)
and as partials (greedy, once), under each window policy; then cut at a random point, as partials are. Printed
are word errors, decodes that ran on, and time. Texts of cut utterances have no reference of their own: they
are compared with those of the 30 s window.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import environment
from bench.dataset import Clip, clips
from bench.scoring import WordErrors, total, word_errors
from shared.audio.pcm import SAMPLE_RATE, Float32, pcm16_to_float
from shared.models import resolve
from worker.core.decode import DecodeRequest, Kind
from worker.core.window import WindowPolicy
from worker.engine.api import Engine, EngineOptions, make_engine

POLICIES = (
    WindowPolicy(30.0, 0.0),
    WindowPolicy(15.0, 3.0),
    WindowPolicy(12.0, 2.0),
    WindowPolicy(10.0, 2.0),
    WindowPolicy(8.0, 3.0),
    WindowPolicy(8.0, 2.0),
    WindowPolicy(8.0, 1.0),
    WindowPolicy(6.0, 2.0),
    WindowPolicy(5.0, 1.0),
)


@dataclass(slots=True)
class Tally:
    """One policy's figures for one kind of decode."""

    errors: list[WordErrors] = field(default_factory=list[WordErrors])
    runaways: int = 0
    wall_s: float = 0.0
    texts: list[str] = field(default_factory=list[str])

    def row(self) -> dict[str, Any]:
        """For the table."""
        count = max(1, len(self.texts))
        return {
            "wer": round(total(self.errors).rate, 4),
            "runaways": self.runaways,
            "ms": round(1000 * self.wall_s / count, 1),
        }


def decode_all(
    engine: Engine, kind: Kind, audios: Sequence[Float32], references: Sequence[str], language: str
) -> Tally:
    """Decode each audio alone."""
    tally = Tally()
    for audio, reference in zip(audios, references, strict=True):
        begun_s = time.perf_counter()
        (result,) = engine.decode([DecodeRequest(kind=kind, audio=audio, language=language)])
        tally.wall_s += time.perf_counter() - begun_s
        text = "" if result.runaway else result.text
        tally.runaways += result.runaway
        tally.texts.append(text)
        tally.errors.append(word_errors(reference, text, language))
    return tally


def cut(audio: Float32, chance: random.Random) -> Float32:
    """The beginning of an utterance, at least a second of it."""
    return audio[: chance.randint(min(SAMPLE_RATE, len(audio)), len(audio))]


def compare(
    model: str, chosen: Sequence[Clip], policies: Sequence[WindowPolicy], *, seed: int, language: str
) -> list[dict[str, Any]]:
    """All policies on the same audio; cut utterances are compared with what the first makes of them."""
    path = resolve(model).path
    whole = [pcm16_to_float(clip.pcm16) for clip in chosen]
    chance = random.Random(seed)
    begun = [cut(audio, chance) for audio in whole]
    references = [clip.text for clip in chosen]
    full: list[str] = []
    rows: list[dict[str, Any]] = []
    for policy in policies:
        options = EngineOptions(model=model, path=path, device="cpu", window=policy)
        engine = make_engine("faster_whisper", options)
        engine.prepare()
        final = decode_all(engine, Kind.FINAL, whole, references, language)
        partial = decode_all(engine, Kind.PARTIAL, whole, references, language)
        cut_off = decode_all(engine, Kind.PARTIAL, begun, full or [""] * len(begun), language)
        if not full:
            full = cut_off.texts
            cut_off.errors = [WordErrors()]
        engine.close()
        rows.append(
            {
                "minimum_s": policy.minimum_s,
                "margin_s": policy.margin_s,
                "final": final.row(),
                "partial": partial.row(),
                "cut": cut_off.row(),
            }
        )
        print(model, json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Word errors, runaways and time by window policy.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--language", default="en")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument(
        "--policy",
        type=float,
        nargs=2,
        action="append",
        default=[],
        metavar=("MINIMUM_S", "MARGIN_S"),
        help="instead of the whole list; the first is what cut utterances are compared with",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = clips(options.data, language=options.language, longest_s=20.0)
    chosen = random.Random(options.seed).sample(found, min(options.clips, len(found)))
    seconds = sum(clip.duration_s for clip in chosen)
    print(f"{len(chosen)} clips, {seconds:.0f} s, seed {options.seed}", flush=True)
    results: dict[str, Any] = {"environment": environment.describe(), "seed": options.seed}
    policies = [WindowPolicy(*pair) for pair in options.policy] or POLICIES
    for model in options.model or ["base"]:
        results[model] = compare(model, chosen, policies, seed=options.seed, language=options.language)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
