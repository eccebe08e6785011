"""How well a language is told from little speech: `python -m bench.experiments.languages --data DIR`.

Clips begin at their first sound. Each is heard alone for some seconds, and behind seven seconds of another
language, as a final hears its left context.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.audio.media import decode_chunks
from shared.audio.pcm import SAMPLE_RATE, Float32, pcm16_to_float
from shared.models import resolve
from worker.core.decode import DecodeRequest, Kind
from worker.engine.api import Engine, EngineOptions, make_engine

THRESHOLDS = (0.5, 0.8, 0.9)
LEFT_S = 7
Told = tuple[str, str, float]
"""The language, what it was told to be, and how probable that was."""


def clips(folder: Path, most: int) -> list[tuple[str, Float32]]:
    """At most `most` clips of each language, 2 to 60 s long, from their first sound on."""
    by_language: defaultdict[str, list[Path]] = defaultdict(list)
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["language"] and 2 <= row["duration_s"] < 60:
            by_language[row["language"]].append(folder / (row.get("audio") or row["file"]))
    chosen = random.Random(1)
    found: list[tuple[str, Float32]] = []
    for language, paths in by_language.items():
        for path in chosen.sample(paths, min(most, len(paths))):
            samples = pcm16_to_float(b"".join(decode_chunks(path)))
            onset = max(0, int(np.argmax(np.abs(samples) > 0.05)) - 3000)
            found.append((language, samples[onset : onset + 12 * SAMPLE_RATE]))
    return found


def alone(engine: Engine, spoken: list[tuple[str, Float32]], seconds: int) -> Iterator[Told]:
    """Clips heard for `seconds` without anything before them."""
    for language, samples in spoken:
        if len(samples) >= seconds * SAMPLE_RATE:
            yield tell(engine, language, samples[: seconds * SAMPLE_RATE], 0.0)


def behind_another(engine: Engine, spoken: list[tuple[str, Float32]], seconds: int) -> Iterator[Told]:
    """The same behind left context in another language; only the clip's own states are looked at."""
    chosen = random.Random(5)
    for language, samples in spoken:
        if len(samples) < 3 * SAMPLE_RATE:
            continue
        others = [s for code, s in spoken if code != language and len(s) > LEFT_S * SAMPLE_RATE]
        left = chosen.choice(others)[: LEFT_S * SAMPLE_RATE]
        audio = np.concatenate((left, samples[: seconds * SAMPLE_RATE]))
        yield tell(engine, language, audio, float(LEFT_S))


def tell(engine: Engine, language: str, audio: Float32, left_s: float) -> Told:
    """What the engine says of a window."""
    request = DecodeRequest(kind=Kind.PARTIAL, audio=audio, language="en", detect=True, left_s=left_s)
    (result,) = engine.decode([request])
    return language, result.detected, result.language_probability


def row(name: str, told: list[Told]) -> str:
    """A line of the table in docs/engine.md."""
    cells = [name, f"{sum(a == b for a, b, _ in told)} of {len(told)}"]
    for threshold in THRESHOLDS:
        sure = [a == b for a, b, p in told if p >= threshold]
        cells.append(f"{len(sure)}, {sure.count(False)}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How well languages are told.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--most", type=int, default=12, help="clips of each language")
    options = parser.parse_args()
    path = resolve(options.model).path
    engine = make_engine("faster_whisper", EngineOptions(model=options.model, path=path, device="cpu"))
    spoken = clips(options.data, options.most)
    for seconds in (1, 2, 3, 5):
        print(row(f"{seconds} s", list(alone(engine, spoken, seconds))), flush=True)
    told = list(behind_another(engine, spoken, 4))
    print(row(f"4 s behind {LEFT_S} s of another language, own states", told), flush=True)


if __name__ == "__main__":
    main()
