"""The same weights on two backends: `python -m bench.experiments.backends --data DIR [--model NAME]
[--each N] [--json FILE]`. Needs the extra `huggingface`.

Each clip is decoded as a final of its language by `faster` and by `huggingface`, both in float32 and with
30 s windows, so that all that differs is the software. What counts is the text after normalisation.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import environment
from bench.dataset import Clip, clips
from bench.scoring import WordErrors, normalise, word_errors
from shared.audio.pcm import pcm16_to_float
from shared.models import resolve
from worker.core.decode import DecodeRequest, Kind
from worker.core.window import WindowPolicy
from worker.engine.api import Engine, EngineOptions, make_engine

LANGUAGES = ("en", "de", "fr", "it", "es", "nl", "ru")
_LONGEST_S = 20.0


@dataclass(slots=True)
class Row:
    """One language."""

    clips: int = 0
    equal: int = 0
    """Clips with the same text after normalisation."""
    faster_s: float = 0.0
    huggingface_s: float = 0.0
    between: float = 0.0
    """Word errors of the one text against the other's."""


def compare(spoken: dict[str, list[Clip]], faster: Engine, huggingface: Engine, beam: int) -> dict[str, Row]:
    """A row for each language."""
    rows: defaultdict[str, Row] = defaultdict(Row)
    for language, those in spoken.items():
        row, errors = rows[language], WordErrors()
        for clip in those:
            request = DecodeRequest(
                kind=Kind.FINAL, audio=pcm16_to_float(clip.pcm16), language=language, beam=beam
            )
            texts: list[str] = []
            for engine in (faster, huggingface):
                began_s = time.process_time()
                texts.append(normalise(engine.decode([request])[0].text, language))
                took_s = time.process_time() - began_s
                if engine is faster:
                    row.faster_s += took_s
                else:
                    row.huggingface_s += took_s
            row.clips += 1
            row.equal += texts[0] == texts[1]
            errors += word_errors(texts[0], texts[1], language)
        row.between = errors.rate
    return dict(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--each", type=int, default=6, help="clips of each language")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = resolve(args.model)
    options = EngineOptions(
        model=args.model,
        path=files.path,
        device="cpu",
        compute_type="float32",
        window=WindowPolicy(30.0, 0.0, file_s=()),
        threads=os.cpu_count() or 1,  # one for each call
    )
    languages = LANGUAGES if files.multilingual else ("en",)
    spoken = {code: clips(args.data, language=code, longest_s=_LONGEST_S)[: args.each] for code in languages}
    engines = [make_engine(name, options) for name in ("faster_whisper", "huggingface")]
    rows = compare(spoken, engines[0], engines[1], args.beam)
    print(f"{args.model}, float32, beam {args.beam}, {environment.describe()}\n")
    print("| language | clips | same text | words that differ, % | CPU s: faster | huggingface |")
    print("| --- | --- | --- | --- | --- | --- |")
    for language, row in rows.items():
        print(
            f"| {language} | {row.clips} | {row.equal} | {100 * row.between:.2f} | {row.faster_s:.1f} "
            f"| {row.huggingface_s:.1f} |"
        )
    if args.json:
        args.json.write_text(json.dumps({code: asdict(row) for code, row in rows.items()}, indent=1))


if __name__ == "__main__":
    main()
