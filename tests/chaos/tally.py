"""What many runs came to, by kind of disturbance: `python -m tests.chaos.tally FILE` prints what runs with
`STENO_CHAOS_TALLY=FILE` have kept there."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.clients import Heard
from tests.chaos.injector import Disturbance


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One disturbance: its run, and the longest time that any client was without an event across it."""

    seed: int
    kind: str
    pause_s: float
    violations: int
    resumed: int
    """Connections that the clients of the run had beside their first."""


def rows(seed: int, done: Iterable[Disturbance], heard: Sequence[Heard], violations: int) -> list[Row]:
    """A run, disturbance by disturbance. A pause that several disturbances fall into counts for each."""
    pauses = [pause for client in heard for pause in client.pauses()]
    resumed = sum(client.resumed for client in heard)
    return [
        Row(
            seed=seed,
            kind=d.kind,
            pause_s=max((b - a for a, b in pauses if a <= d.ended and b >= d.began), default=0.0),
            violations=violations,
            resumed=resumed,
        )
        for d in done
    ]


def keep(path: Path, kept: Sequence[Row]) -> None:
    """Append a run to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in kept)


def table(kept: Sequence[Row]) -> str:
    """A line for each kind, and one for all."""
    lines = [
        "| what was done | times | in runs | violations | longest pause, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    kinds = sorted({row.kind for row in kept})
    for name, of in [(kind, [r for r in kept if r.kind == kind]) for kind in kinds] + [("all", list(kept))]:
        wrong = sum({row.seed: row.violations for row in of}.values())
        longest_s = max(row.pause_s for row in of)
        lines.append(f"| {name} | {len(of)} | {len({r.seed for r in of})} | {wrong} | {longest_s:.1f} |")
    lines.append(f"\n{sum({r.seed: r.resumed for r in kept}.values())} connections were replaced.")
    return "\n".join(lines)


def main() -> None:
    """Print the table of a file."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    print(table([Row(**json.loads(line)) for line in lines]))


if __name__ == "__main__":
    main()
