"""Real speech and a real model under the same disturbances: `python -m tests.chaos.speech --runs N`.

Each run plays the same programs twice through the SDK, undisturbed and disturbed, and compares the word
errors of the joined finals with the reference. Exit status 1 when a session is not whole, or when all runs
together have a word error rate that is more than half a point above the undisturbed one.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.dataset import BUNDLED, Program, load, programs
from bench.scoring import WordErrors, total, word_errors
from tests.chaos.clients import Heard, sdk_client
from tests.chaos.harness import Stack, running
from tests.chaos.injector import Injector
from tests.chaos.invariants import violations_but_words
from tests.chaos.tally import rows

POINTS_MAX: Final = 0.5
_WORKERS: Final = 2
_APART_S: Final = (0.5, 3.0)
_DISTURBANCES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pair of plays."""

    seed: int
    done: tuple[str, ...]
    undisturbed: WordErrors
    disturbed: WordErrors
    pause_s: float
    """Longest time without an event across a disturbance."""
    wrong: tuple[str, ...]


async def play(
    stack: Stack, plan: Sequence[Program], speed: float, draw: random.Random, injector: Injector | None = None
) -> tuple[WordErrors, list[Heard], list[str]]:
    """All programs at once: word errors, what was heard, and what is wrong beside the words."""
    async with AsyncExitStack() as lines:
        speaking = [
            asyncio.create_task(
                sdk_client(
                    program.pcm16,
                    await lines.enter_async_context(stack.line_to(draw.choice(stack.edges))),
                    speed,
                )
            )
            for program in plan
        ]
        if injector is not None:
            await injector.disturb(_DISTURBANCES, apart_s=_APART_S)
        heard = await asyncio.gather(*speaking)
        await stack.calm()
    wrong = list(injector.wrong) if injector else []
    errors: list[WordErrors] = []
    for client, program in zip(heard, plan, strict=True):
        logged = await stack.logged(client.messages[0])
        wrong += violations_but_words(client.messages, program.duration_s, logged)
        said = " ".join(m["text"] for m in client.messages if m["type"] == "final")
        errors.append(word_errors(" ".join(p.text for p in program.passages), said))
    return total(errors), list(heard), wrong


async def run(stack: Stack, plan: Sequence[Program], speed: float, seed: int) -> Run:
    """A pair, with the seed's disturbances."""
    undisturbed, _, wrong_before = await play(stack, plan, speed, random.Random(seed))
    injector = Injector(stack, seed)
    disturbed, heard, wrong = await play(stack, plan, speed, random.Random(seed), injector)
    wrong += [f"undisturbed: {what}" for what in wrong_before]
    wrong += [f"left behind: {what}" for what in await stack.leftovers()]
    tally = rows(seed, injector.done, heard, len(wrong))
    return Run(
        seed=seed,
        done=tuple(d.what for d in injector.done),
        undisturbed=undisturbed,
        disturbed=disturbed,
        pause_s=max(row.pause_s for row in tally),
        wrong=tuple(wrong),
    )


async def runs(options: argparse.Namespace, folder: Path) -> list[Run]:
    """One after another, on one set of processes."""
    plan = programs(load(options.data), count=options.sessions, seconds=options.seconds)
    done: list[Run] = []
    async with running(
        folder, workers=_WORKERS, engine="faster", model=options.model, queue_s="60", resume_s="20"
    ) as stack:
        for seed in range(options.seed, options.seed + options.runs):
            done.append(await run(stack, plan, options.speed, seed))
            print(line(done[-1]), flush=True)
            if options.json:
                with options.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(done[-1])) + "\n")
    return done


def line(one: Run) -> str:
    """A run in a line."""
    rates = f"WER {100 * one.undisturbed.rate:.2f} % undisturbed, {100 * one.disturbed.rate:.2f} % disturbed"
    return (
        f"seed {one.seed}: {rates}, pause {one.pause_s:.1f} s; {'; '.join(one.done)} {list(one.wrong) or ''}"
    )


def summary(done: Sequence[Run]) -> tuple[str, bool]:
    """All runs together, and whether they are good."""
    undisturbed, disturbed = total(r.undisturbed for r in done), total(r.disturbed for r in done)
    points = 100 * (disturbed.rate - undisturbed.rate)
    spread = sorted(100 * (r.disturbed.rate - r.undisturbed.rate) for r in done)
    wrong = sum(len(r.wrong) for r in done)
    text = (
        f"{len(done)} runs, {disturbed.words} words: WER {100 * undisturbed.rate:.2f} % undisturbed, "
        f"{100 * disturbed.rate:.2f} % disturbed ({points:+.2f} points; single runs {spread[0]:+.2f} to "
        f"{spread[-1]:+.2f}); {wrong} violations; longest pause {max(r.pause_s for r in done):.1f} s"
    )
    return text, points <= POINTS_MAX and not wrong


def _kept(path: Path) -> list[Run]:
    rows_of: list[dict[str, Any]] = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return [
        Run(
            seed=row["seed"],
            done=tuple(row["done"]),
            undisturbed=WordErrors(**row["undisturbed"]),
            disturbed=WordErrors(**row["disturbed"]),
            pause_s=row["pause_s"],
            wrong=tuple(row["wrong"]),
        )
        for row in rows_of
    ]


def main() -> int:
    """Run, print, and say by the exit status whether all is well."""
    parser = argparse.ArgumentParser(description="Disturb live sessions of real speech.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="default: tests/data")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="least length of a program")
    parser.add_argument("--speed", type=float, default=2.0, help="times the speed of speech")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="append the runs to FILE, and sum up all that it has"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="steno-chaos-") as folder:
        done = asyncio.run(runs(options, Path(folder)))
    text, good = summary(_kept(options.json) if options.json else done)
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
