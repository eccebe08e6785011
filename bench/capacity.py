"""Figures of live sessions by their number: `python -m bench.capacity --sessions 1,4,8 [--data DIR] …`.

Runs `bench.live` once for each number, with a service of its own and everything else as given, and prints one
table of all, which is the one in docs/performance.md. The baseline is measured once, on all that is played.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.live import options_of, run
from bench.report import Report
from bench.scoring import Spread

_COLUMNS = (
    "sessions",
    "refused",
    "word shown p50 / p95, s",
    "last word's end to final p50 / p95, s",
    "WER, plain faster-whisper",
    "words shown and replaced",
    "CPU s per audio s, plain faster-whisper",
    "peak RSS, MB",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, print the table, and say by the exit status whether each run was clean."""
    parser = argparse.ArgumentParser(
        description="Live sessions in growing number.", epilog="Other options are those of bench.live."
    )
    parser.add_argument("--sessions", type=_numbers, default=[1, 4, 8, 12], metavar="N[,N]")
    options, others = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        # The largest number first: its baseline has what all others play.
        own = ["--baseline", str(Path(folder) / "baseline.json"), *others]
        runs = [run(options_of(["--sessions", str(n), *own])) for n in sorted(options.sessions, reverse=True)]
    print(_line(_COLUMNS), _line(["---"] * len(_COLUMNS)), *map(row, reversed(runs)), sep="\n")
    return 1 if any(figures.failures or figures.invalid for figures in runs) else 0


def row(figures: Report) -> str:
    """A line of the table, and behind it why its figures are not to be used, if so."""
    cells = (
        figures.sessions,
        figures.refused,
        _both(figures.word_stable),
        _both(figures.final),
        f"{figures.wer:.2%}, {figures.baseline_wer:.2%}",
        f"{figures.unstable:.1%}",
        f"{figures.cpu_per_audio_s:.3f}, {figures.baseline_cpu_per_audio_s:.2f}",
        f"{figures.peak_rss_bytes / 1e6:,.0f}",
    )
    faults = "; ".join([*figures.failures, *([figures.invalid] if figures.invalid else [])])
    return _line(cells) + (f" INVALID: {faults}" if faults else "")


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _both(spread: Spread) -> str:
    return f"{spread.p50:.2f} / {spread.p95:.2f}"


def _numbers(text: str) -> list[int]:
    try:
        found = [int(number) for number in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError("needs whole numbers of at least 1, with commas between them")
    return found


if __name__ == "__main__":
    sys.exit(main())
