"""Sessions speak while processes die, freeze and lose the network; nothing is lost and nothing comes twice.

`STENO_CHAOS_SEED` is the seed of the first run (drawn when unset, and printed), `STENO_CHAOS_RUNS` how many
runs follow each other on one set of processes. The service's clocks are monotonic ones, and Redis's own for
presence and leases: jumps of the machine's time are not injected.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.chaos.harness import Stack, running
from tests.chaos.injector import Injector
from tests.chaos.invariants import violations
from tests.support.marked import talk

pytestmark = pytest.mark.anyio

RUNS = int(os.environ.get("STENO_CHAOS_RUNS", "3"))
SEED = int(os.environ.get("STENO_CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
KEPT: tuple[int, ...] = ()
"""Seeds that once failed."""
CLIENTS = 4
WORKERS = 3
PACE = 4.0
DISTURBANCES = 3
FILES_MORE_MAX = 40
"""Descriptors that a process may have gained over a run: connections of the pool, none per session."""


@pytest.mark.timeout(120 + 30 * RUNS)
async def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    seeds = [*KEPT, *range(SEED, SEED + RUNS)]
    async with running(tmp_path, workers=WORKERS, lease_s="0.8", drain_s="2", queue_s="30") as stack:
        for seed in seeds:
            done, wrong = await run(stack, seed)
            print(f"seed {seed}: {'; '.join(done)}")
            assert not wrong, f"STENO_CHAOS_SEED={seed}: {done}\n" + "\n".join(wrong)


async def run(stack: Stack, seed: int) -> tuple[list[str], list[str]]:
    """One run: what was done, and what is wrong."""
    draw = random.Random(seed)
    talks = [talk(n + 1) for n in range(CLIENTS)]
    injector = Injector(stack, seed)
    files = stack.open_files()
    deaths = stack.deaths
    speaking = [
        asyncio.create_task(stack.speak(said, draw.choice(stack.edges), PACE * draw.uniform(0.7, 1.3)))
        for said in talks
    ]
    await injector.disturb(DISTURBANCES)
    sessions = await asyncio.gather(*speaking, return_exceptions=True)
    await stack.calm()
    wrong: list[str] = []
    for n, (session, said) in enumerate(zip(sessions, talks, strict=True)):
        if isinstance(session, BaseException):
            wrong.append(f"client {n}: {session!r}")
        else:
            logged = await stack.logged(session)
            wrong += [f"client {n}: {what}" for what in violations(session.messages, said, logged)]
    wrong += [f"left behind: {what}" for what in await stack.leftovers()]
    if deaths == stack.deaths:
        now = stack.open_files()
        wrong += [f"{n}: {files[n]} files, now {now[n]}" for n in now if now[n] > files[n] + FILES_MORE_MAX]
    return injector.done, wrong
