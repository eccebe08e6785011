"""Very many tiny jobs at once: how fast they are taken and worked off, what they cost, and what a live
session notices."""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.dataset import Program, load, programs
from bench.file_service import peaks_beside, write_wav
from bench.latency import broken_promises
from bench.replay import Recording, replay
from bench.report import arrivals
from bench.scoring import Spread
from bench.server import Server, running
from client.jobs import Jobs
from shared.errors import StenoError
from shared.jobs import QUEUED, RUNNING, JobOptions

AT_ONCE: Final = 64
"""Uploads that are on their way together."""
_SECONDS: Final = 1.0
_LOOK_S: Final = 1.0
_PAGE: Final = 200
_LIVE_S: Final = 60.0


@dataclass(slots=True)
class _Crowd:
    """What became of the jobs. `refused` counts by code, and whether a time to try again was said."""

    ids: list[str] = field(default_factory=list[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    posted_s: float = 0.0
    drained_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    pages_s: list[float] = field(default_factory=list[float])


def crowd(
    found: list[Program], options: argparse.Namespace, settings: Mapping[str, str], scratch: Path
) -> dict[str, Any]:
    """Figures of `options.crowd` jobs of one second each, beside a live session."""
    path = write_wav(scratch / "tiny.wav", found[0].pcm16, seconds=_SECONDS)
    (program,) = programs(load(options.data), count=1, seconds=_LIVE_S)
    with running(settings=settings, log=options.log) as server:
        alone = asyncio.run(_live(server, program))
        peaks, (jobs, beside) = asyncio.run(peaks_beside(server, _both(server, path, options.crowd, program)))
    return {
        "jobs": options.crowd,
        "taken": len(jobs.ids),
        "refused": dict(jobs.refused),
        "taken_per_s": round(len(jobs.ids) / jobs.posted_s, 1),
        "ended": dict(jobs.ends),
        "ended_per_s": round(sum(jobs.ends.values()) / jobs.drained_s, 1),
        "lost": jobs.lost,
        "list_page_p50_s": Spread.of(jobs.pages_s).p50,
        "list_page_max_s": round(max(jobs.pages_s), 3),
        "peak_mb": {name: round(peak / 1e6, 1) for name, peak in sorted(peaks.items())},
        "live alone": _figures([alone]),
        "live beside": _figures(beside),
    }


async def _both(server: Server, path: Path, count: int, program: Program) -> tuple[_Crowd, list[Recording]]:
    working = asyncio.create_task(_jobs(server, path, count))
    played: list[Recording] = []
    while not working.done():
        played.append(await _live(server, program))
    return await working, played


async def _live(server: Server, program: Program) -> Recording:
    return await replay(server.stream_url, program, query={"sample_rate": "16000", "language": "en"})


async def _jobs(server: Server, path: Path, count: int) -> _Crowd:
    seen, began_s = _Crowd(), time.perf_counter()
    async with Jobs(server.stream_url) as jobs:
        numbers = iter(range(count))
        await asyncio.gather(*(_post(jobs, path, numbers, seen) for _ in range(AT_ONCE)))
        seen.posted_s = time.perf_counter() - began_s
        # They are begun in the order in which they came: the last one says how far it is.
        while (await jobs.status(seen.ids[-1])).status in (QUEUED, RUNNING):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        for status in (QUEUED, RUNNING):
            while (await jobs.list(status=status, limit=1)).jobs:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
        seen.drained_s = time.perf_counter() - began_s
        listed = await _listed(jobs, seen)
        seen.ends = Counter(listed.values())
        seen.lost = len(set(seen.ids) - set(listed))
    return seen


async def _post(jobs: Jobs, path: Path, numbers: Any, seen: _Crowd) -> None:
    for _ in numbers:
        try:
            job = await jobs.submit(path, JobOptions(language="en"))
            seen.ids.append(job.id)
        except StenoError as error:
            seen.refused[f"{error.code}, retry after {error.retry_after_s}"] += 1


async def _listed(jobs: Jobs, seen: _Crowd) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor = ""
    while True:
        began_s = time.perf_counter()
        page = await jobs.list(limit=_PAGE, cursor=cursor)
        seen.pages_s.append(time.perf_counter() - began_s)
        found |= {job.id: job.status for job in page.jobs}
        if not (cursor := page.next_cursor):
            return found


def _figures(played: list[Recording]) -> dict[str, Any]:
    """Seconds from the end of an utterance to its final, and what went wrong."""
    behind = [at_s - m["end"] for r in played for at_s, m in r.messages if m["type"] == "final" and m["text"]]
    wrong = [r.failure for r in played if r.failure]
    wrong += [sentence for r in played for sentence in broken_promises(arrivals(r))]
    spread = Spread.of(behind)
    return {"finals": len(behind), "final_p50_s": spread.p50, "final_p95_s": spread.p95, "wrong": wrong}
