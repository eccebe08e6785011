"""The same weights on two backends: `python -m bench.experiments.backends --data DIR [--model NAME]
[--each N] [--language CODE] [--json FILE]`. Needs the extra `huggingface`.

Each clip is decoded as a final of its language, with 30 s windows, by `huggingface` in float32 and by
`faster` in float32, so that all that differs is the software, and in int8, as it is shipped on CPUs. What
counts is the text after normalisation.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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


TYPES = ("float32", "int8")
"""Of `faster`."""


@dataclass(slots=True)
class Compared:
    """The texts of `faster` in one type against those of `huggingface`."""

    equal: int = 0
    """Clips with the same text after normalisation."""
    errors: WordErrors = field(default_factory=WordErrors)
    """Words of the one that are other words in the other."""
    cpu_s: float = 0.0


@dataclass(slots=True)
class Row:
    """One language."""

    clips: int = 0
    huggingface_s: float = 0.0
    faster: dict[str, Compared] = field(default_factory=lambda: {name: Compared() for name in TYPES})


def compare(clips: Sequence[Clip], language: str, engines: Mapping[str, Engine], beam: int) -> Row:
    """One language's row. `engines` has `huggingface` and one for each of `TYPES`."""
    row = Row(clips=len(clips))
    for clip in clips:
        request = DecodeRequest(
            kind=Kind.FINAL, audio=pcm16_to_float(clip.pcm16), language=language, beam=beam
        )

        def decoded(name: str, request: DecodeRequest = request) -> tuple[str, float]:
            began_s = time.process_time()
            text = normalise(engines[name].decode([request])[0].text, language)
            return text, time.process_time() - began_s

        theirs, took_s = decoded("huggingface")
        row.huggingface_s += took_s
        for name, compared in row.faster.items():
            ours, took_s = decoded(name)
            compared.cpu_s += took_s
            compared.equal += ours == theirs
            compared.errors += word_errors(ours, theirs, language)
    return row


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--each", type=int, default=6, help="clips of each language")
    parser.add_argument(
        "--language", action="append", choices=LANGUAGES, help="only this one; may be given again"
    )
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = resolve(args.model)

    def engine(name: str, compute_type: str) -> Engine:
        options = EngineOptions(
            model=args.model,
            path=files.path,
            device="cpu",
            compute_type=compute_type,
            window=WindowPolicy(30.0, 0.0, file_s=()),
        )
        return make_engine(name, options)

    engines = {name: engine("faster_whisper", name) for name in TYPES}
    engines["huggingface"] = engine("huggingface", "float32")
    print(f"{args.model}, beam {args.beam}, {environment.describe()}\n")
    print("| language | clips | same text: float32 | int8 | words that differ, %: float32 | int8 ", end="")
    print("| CPU s: huggingface | faster float32 | int8 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    rows: dict[str, Row] = {}
    for code in args.language or (LANGUAGES if files.multilingual else ("en",)):
        those = clips(args.data, language=code, longest_s=_LONGEST_S)[: args.each]
        rows[code] = row = compare(those, code, engines, args.beam)
        plain, small = (row.faster[name] for name in TYPES)
        print(
            f"| {code} | {row.clips} | {plain.equal} | {small.equal} | {100 * plain.errors.rate:.2f} "
            f"| {100 * small.errors.rate:.2f} | {row.huggingface_s:.1f} | {plain.cpu_s:.1f} "
            f"| {small.cpu_s:.1f} |",
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps({code: asdict(row) for code, row in rows.items()}, indent=1))


if __name__ == "__main__":
    main()
