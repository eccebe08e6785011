"""The figures of a run from the workers' event logs: `python -m bench.recompute FILE_OR_DIRECTORY…`.

What needs references, word errors and the latency of single words, can't be made from logs that hold no text;
`bench.live --json` keeps what those are made of.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.scoring import Spread
from shared.audio.pcm import to_seconds

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decodes:
    """Decodes of one kind."""

    count: int
    batches: int
    audio_s: float
    """Audio in them, what was heard before included."""
    encode_s: float
    device_s: float
    """Time of their batches, the encoder included."""
    queue: Spread
    window: Spread
    batch: Spread
    """Seconds that a batch took."""

    @property
    def real_time_factor(self) -> float:
        """Device time for each second of audio decoded."""
        return self.device_s / self.audio_s if self.audio_s else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that logs tell."""

    sessions: int
    audio_s: float
    """Live audio, what a successor took in again not counted twice."""
    events: Counter[str]
    lags: dict[str, Spread]
    """From the arrival of the audio that an event is about to its publishing, by type."""
    word_lag: Spread
    words: int
    """Words of finals."""
    taken_back: int
    dropped: Counter[str]
    """By kind and reason."""
    decodes: dict[str, Decodes]
    cpu_s: float
    """CPU time of the workers, from their first record to their last."""


def read(paths: Iterable[Path]) -> Iterator[list[Record]]:
    """The records of each file; a directory stands for the logs in it. A last line that was cut is left
    out."""
    for path in paths:
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
            lines = file.read_text(encoding="utf-8").split("\n")
            yield [json.loads(line) for line in lines[:-1]]


def figures(logs: Iterable[Sequence[Record]]) -> Figures:
    """Put the figures together."""
    logs = list(logs)
    records = [record for log in logs for record in log]
    events = [r for r in records if r["record"] == "event"]
    kinds = sorted({r["type"] for r in events})
    batches = [r for r in records if r["record"] == "batch"]
    texts = [r for r in events if "words" in r]
    received: dict[str, int] = {}
    for record in records:
        if record["record"] == "end":
            session = record["session"]
            received[session] = max(received.get(session, 0), record["received"])
    return Figures(
        sessions=len({r["session"] for r in records if r["record"] == "session"}),
        audio_s=sum(map(to_seconds, received.values())),
        events=Counter(r["type"] for r in events),
        lags={kind: Spread.of([r["lag_s"] for r in events if r["type"] == kind]) for kind in kinds},
        word_lag=Spread.of([lag_s for r in texts for lag_s in r["word_lags_s"]]),
        words=sum(r["words"] for r in texts if r["type"] == "final"),
        taken_back=sum(r["taken_back"] for r in texts),
        dropped=Counter(f"{r['kind']} {r['reason']}" for r in records if r["record"] == "drop"),
        decodes={
            kind: _decodes([b for b in batches if b["kind"] == kind])
            for kind in sorted({b["kind"] for b in batches})
        },
        cpu_s=sum(map(_cpu_s, logs)),
    )


def _decodes(batches: Sequence[Record]) -> Decodes:
    rows = [row for batch in batches for row in batch["rows"]]
    return Decodes(
        count=len(rows),
        batches=len(batches),
        audio_s=sum(row["audio_s"] for row in rows),
        encode_s=sum(batch["encode_s"] for batch in batches),
        device_s=sum(batch["took_s"] for batch in batches),
        queue=Spread.of([row["waited_s"] for row in rows]),
        window=Spread.of([row["window_s"] for row in rows]),
        batch=Spread.of([batch["took_s"] for batch in batches]),
    )


def _cpu_s(log: Sequence[Record]) -> float:
    marks = [record["cpu_s"] for record in log if "cpu_s" in record]
    return marks[-1] - marks[0] if marks else 0.0


def table(found: Figures) -> str:
    """The figures for a person."""
    rows = [
        f"{found.sessions} sessions, {found.audio_s:.0f} s of audio, {found.words} words in finals",
        "",
        f"{'seconds':28}{'p50':>8}{'p90':>8}{'p95':>8}{'largest':>9}{'count':>8}",
        _row("word's arrival to shown", found.word_lag),
        *(_row(f"{kind}'s audio to published", spread) for kind, spread in found.lags.items()),
        *(_row(f"{kind}: wait", decodes.queue) for kind, decodes in found.decodes.items()),
        *(_row(f"{kind}: batch", decodes.batch) for kind, decodes in found.decodes.items()),
        *(_row(f"{kind}: window", decodes.window) for kind, decodes in found.decodes.items()),
        "",
        f"{'taken back, per final word':28}{found.taken_back / max(1, found.words):8.3f}",
        f"{'workers CPU s per audio s':28}{found.cpu_s / max(found.audio_s, 0.001):8.3f}",
    ]
    for kind, decodes in found.decodes.items():
        rows.append(
            f"{kind + ' decodes':28}{decodes.count:8d}   {decodes.count / decodes.batches:.2f} a batch, "
            f"{decodes.device_s:.1f} s on the device, {decodes.encode_s:.1f} of them in the encoder, "
            f"real-time factor {decodes.real_time_factor:.3f}"
        )
    rows += [f"{'dropped: ' + name:28}{count:8d}" for name, count in sorted(found.dropped.items())]
    return "\n".join(rows)


def _row(name: str, spread: Spread) -> str:
    numbers = (spread.p50, spread.p90, spread.p95)
    return f"{name:28}" + "".join(f"{n:8.2f}" for n in numbers) + f"{spread.largest:9.2f}{spread.count:8d}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read and print."""
    parser = argparse.ArgumentParser(description="The figures of a run, from the workers' event logs.")
    parser.add_argument("logs", type=Path, nargs="+", metavar="FILE_OR_DIRECTORY")
    print(table(figures(read(parser.parse_args(arguments).logs))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
