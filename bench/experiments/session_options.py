"""What the session's options cost and gain: `python -m bench.experiments.session_options --data DIR [--set
NAME=VALUE,…]`.

Each `--set` is one variant, several options of it separated by commas; options are those of `SessionOptions`
and `EndpointOptions`. Sessions run on a virtual clock (`bench.virtual`), so that a variant takes a fraction
of real time and several may run side by side.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench import environment
from bench.answers import Answers, Remembered, source_of
from bench.baseline import Baseline, gold_of, kept
from bench.baseline import keep as keep_baseline
from bench.baseline import measure as measure_baseline
from bench.dataset import Program, load, programs
from bench.latency import Stability, delays, stability, transcript
from bench.scoring import Spread, total, word_errors
from bench.virtual import Played, Setting, play
from shared.models import resolve
from worker.core.effects import SessionOptions
from worker.core.endpointing import EndpointOptions
from worker.core.window import WindowPolicy
from worker.engine.api import Engine, EngineOptions, make_engine
from worker.engine.drafted import DraftedEngine

_ENDPOINT = {field.name for field in fields(EndpointOptions)}


def variant(text: str) -> SessionOptions:
    """`name=value,…` as options."""
    given = {k: float(v) for k, v in (pair.split("=") for pair in text.split(",") if pair)}
    both = (*fields(SessionOptions), *fields(EndpointOptions))
    whole = {field.name for field in both if field.type in (int, "int")}
    typed: dict[str, Any] = {k: int(v) if k in whole else v for k, v in given.items()}
    endpoint = EndpointOptions(**{k: v for k, v in typed.items() if k in _ENDPOINT})
    return SessionOptions(endpoint=endpoint, **{k: v for k, v in typed.items() if k not in _ENDPOINT})


def figures(plan: list[Program], played: Played, baseline: Baseline | None) -> dict[str, Any]:
    """Word errors, cost and latency of one variant."""
    both = list(zip(plan, played.arrivals, strict=True))
    errors = [
        word_errors(" ".join(p.text for p in program.passages), transcript(found)) for program, found in both
    ]
    audio_s = sum(program.duration_s for program in plan)
    steady = sum((stability(found) for found in played.arrivals), Stability())
    found: dict[str, Any] = {
        "wer": round(total(errors).rate, 4),
        "cpu": round(sum(played.cpu_s.values()) / audio_s, 3),
        "cpu_by_kind": {k: round(v / audio_s, 3) for k, v in played.cpu_s.items()},
        "decodes": dict(played.decodes),
        "batch": {k: round(n / played.batches[k], 2) for k, n in played.decodes.items()},
        "erased": round(steady.erased_per_word, 3),
        "unstable": round(steady.unstable, 3),
        "committed_changed": steady.committed_changed,
    }
    if baseline is not None:
        waits = [delays(found, gold_of(program, baseline)) for program, found in both]
        for name in ("first_s", "stable_s", "final_s"):
            spread = Spread.of([s for wait in waits for s in getattr(wait, name)])
            found[name] = [round(spread.p50, 2), round(spread.p90, 2), round(spread.p95, 2)]
    return found


def baseline_of(plan: Sequence[Program], model: str, path: Path) -> Baseline:
    """Plain faster-whisper on all passages, kept at `path`."""
    passages = list({p.name: p for program in plan for p in program.passages}.values())
    chosen = {"model": model, "compute_type": "int8"}
    found = kept(path, passages, **chosen)
    if found is None:
        found = measure_baseline(passages, **chosen, threads=1)
        keep_baseline(found, path)
    return found


def engine_of(options: argparse.Namespace) -> Engine:
    """The model, with drafts and a memory of answers where they are asked for. Exits where the file is
    another engine's."""
    window = WindowPolicy(*options.window) if options.window else None
    path = resolve(options.model).path
    engine = make_engine(
        "faster_whisper", EngineOptions(model=options.model, path=path, device="cpu", window=window)
    )
    if options.answers:
        source = source_of(engine.info) + (f" {window}" if window else "")
        try:
            engine = Remembered(engine, Answers(options.answers, source))
        except ValueError as error:
            sys.exit(str(error))
    if options.draft:
        path = resolve(options.draft).path
        draft = EngineOptions(model=options.draft, path=path, device="cpu", window=window)
        engine = DraftedEngine(engine, make_engine("faster_whisper", draft))
    engine.prepare()
    return engine


def main() -> None:
    """Measure each variant and print a line for it."""
    parser = argparse.ArgumentParser(description="Word errors, cost and latency of session options.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="begin behind N streams of the data")
    parser.add_argument("--no-partials", action="store_true")
    parser.add_argument("--cost", default="cpu-zen3-base", help="a table of bench/costs: what decodes take")
    parser.add_argument("--draft", metavar="NAME", help="a model for the partials of a busy device")
    parser.add_argument("--draft-cost", default="", help="the table of that model")
    parser.add_argument(
        "--service-share",
        type=float,
        default=0.0,
        metavar="S",
        help="core seconds a second of audio that a session takes beside decodes, which slows them",
    )
    parser.add_argument("--free", action="store_true", help="decodes take no time: only WER and cost count")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="words' times: kept here, or taken from here"
    )
    parser.add_argument("--answers", type=Path, metavar="FILE", help="keep decodes here, and take known ones")
    parser.add_argument("--set", action="append", default=[], dest="variants", metavar="NAME=VALUE,…")
    parser.add_argument(
        "--window", type=float, nargs=2, metavar=("MINIMUM_S", "MARGIN_S"), help="the engine's window policy"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    engine = engine_of(options)
    plan = programs(load(options.data)[options.skip :], count=options.sessions, seconds=options.minutes * 60)
    baseline = baseline_of(plan, options.model, options.baseline) if options.baseline else None
    results: dict[str, Any] = {"environment": environment.describe()}
    for text in options.variants or [""]:
        played = play(
            engine,
            plan,
            variant(text),
            partials=not options.no_partials,
            free=options.free,
            setting=Setting(
                cost=options.cost, draft_cost=options.draft_cost, service_share=options.service_share
            ),
        )
        results[text] = figures(plan, played, baseline)
        print(text or "as shipped", json.dumps(results[text]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
