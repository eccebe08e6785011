"""Sessions against latency, simulated: `python -m bench.sim --cost NAME --sessions 1,4,8 [--workers N]`.

The real session machines and schedulers run on a virtual clock; speech is modelled and decodes cost what a
table of bench/costs says. `bench.fleet` tells what is left out. Nothing here is a measurement.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import environment
from bench.cost_table import FOLDER, BadTable, CostTable, cost_table
from bench.fleet import simulate
from bench.fleet_worker import Case, Outcome
from bench.scoring import Spread
from worker.core.effects import SessionOptions

_COLUMNS = (
    "sessions",
    "first text of a word p50 / p95, s",
    "last word's end to final p50 / p95, s",
    "wait of partials, finals p95, s",
    "batch of partials, finals",
    "decoding s per audio s",
    "busy",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate each number of sessions and print a line for it. Exit status 1 when anything was lost."""
    options = _options(arguments)
    try:
        table = cost_table(options.cost)
        draft_table = cost_table(options.draft_cost) if options.draft_cost else None
    except BadTable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(_about(table, options), _row(_COLUMNS), _row(["---"] * len(_COLUMNS)), sep="\n", flush=True)
    runs: list[dict[str, Any]] = []
    for sessions in options.sessions:
        began = time.perf_counter()
        outcome = simulate(_case(table, draft_table, sessions, options))
        took_s = time.perf_counter() - began
        figures = summary(sessions, outcome)
        runs.append({**figures, "simulated_in_s": round(took_s, 1)})
        print(line(figures), flush=True)
    if options.json:
        choices = {name: str(value) for name, value in vars(options).items()}
        about = {"simulation": True, "environment": environment.describe(), "options": choices}
        costs = {**asdict(table), "step_s": {str(beam): cost for beam, cost in table.step_s.items()}}
        text = json.dumps({**about, "cost_table": costs, "runs": runs}, indent=1, allow_nan=False)
        options.json.write_text(text, encoding="utf-8")
    return 1 if any(run["wrong"] for run in runs) else 0


def summary(sessions: int, outcome: Outcome) -> dict[str, Any]:
    """The figures of one run. Seconds, unless the name says otherwise."""
    return {
        "sessions": sessions,
        "first_s": _spread(outcome.first_s),
        "final_s": _spread(outcome.final_s),
        "queue_s": {kind: _spread(waits) for kind, waits in sorted(outcome.queue_s.items())},
        "batch": {k: round(sum(n) / len(n), 2) for k, n in sorted(outcome.batches.items())},
        "decode_s_per_audio_s": round(outcome.busy_s / outcome.talk_s, 4),
        "busy": round(outcome.utilisation, 3),
        "words": outcome.words,
        "takeovers": outcome.takeovers,
        "wrong": outcome.wrong,
    }


def line(figures: dict[str, Any]) -> str:
    """One row of the table."""

    def both(name: str) -> str:
        return f"{figures[name]['p50']:.2f} / {figures[name]['p95']:.2f}"

    def kinds(values: dict[str, Any], form: str) -> str:
        return ", ".join(
            format(values[kind], form) if kind in values else "-" for kind in ("partial", "final")
        )

    waits = {kind: spread["p95"] for kind, spread in figures["queue_s"].items()}
    cells = [
        str(figures["sessions"]),
        both("first_s"),
        both("final_s"),
        kinds(waits, ".2f"),
        kinds(figures["batch"], ".1f"),
        f"{figures['decode_s_per_audio_s']:.3f}",
        f"{figures['busy']:.0%}",
    ]
    wrong = f" {len(figures['wrong'])} SESSIONS LOST WORDS" if figures["wrong"] else ""
    return _row(cells) + wrong


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {"p50": 0.0, "p95": 0.0}
    spread = Spread.of(values)
    return {"p50": round(spread.p50, 3), "p95": round(spread.p95, 3)}


def _about(table: CostTable, options: argparse.Namespace) -> str:
    fleet = f"{options.workers} worker{'s' if options.workers > 1 else ''}"
    death = f", one of them dies after {options.kill_at:g} s" if options.kill_at is not None else ""
    return (
        f"SIMULATION, not a measurement: {fleet} with {table.slots} decodes at once{death};\n"
        f"{options.minutes:g} minutes of {options.profile}, seed {options.seed}.\n"
        f"Costs {table.name} ({table.what}): {table.source}.\n"
    )


def _case(
    table: CostTable, draft_table: CostTable | None, sessions: int, options: argparse.Namespace
) -> Case:
    return Case(
        table=table,
        draft_table=draft_table,
        sessions=sessions,
        workers=options.workers,
        duration_s=options.minutes * 60,
        seed=options.seed,
        profile=options.profile,
        kill_at_s=options.kill_at,
        lease_s=options.lease,
        options=_session_options(options.set),
    )


def _session_options(text: str) -> SessionOptions:
    if not text:
        return SessionOptions()
    # Only here: it loads what measures word errors, which a simulation has none of.
    from bench.experiments.session_options import variant

    return variant(text)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.json")))
    parser = argparse.ArgumentParser(description="Simulate live sessions from a table of decoding costs.")
    parser.add_argument(
        "--cost", default="cpu-zen3-base", metavar="FILE", help=f"a JSON file, or one of {known}"
    )
    parser.add_argument(
        "--draft-cost", default="", metavar="FILE", help="the same for a model for drafts; empty: none"
    )
    parser.add_argument("--sessions", type=_numbers, default=[1, 4, 8], metavar="N,N,…")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="devices of that cost")
    parser.add_argument("--minutes", type=float, default=2.0, metavar="M", help="length of each session")
    parser.add_argument("--profile", choices=["reading", "dialogue"], default="reading")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--kill-at", type=float, metavar="T", help="second at which one worker dies")
    parser.add_argument("--lease", type=float, default=2.0, metavar="S", help="STENO_LEASE_S")
    parser.add_argument("--set", default="", metavar="NAME=VALUE,…", help="options of SessionOptions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    options = parser.parse_args(arguments)
    if options.workers < 1 or (options.kill_at is not None and options.workers < 2):
        parser.error("--workers must be at least 1, and 2 for one of them to die")
    if options.minutes <= 0:
        parser.error("--minutes must be more than 0")
    return options


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise ValueError(text)
    return numbers


if __name__ == "__main__":
    sys.exit(main())
