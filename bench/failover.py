"""How long live sessions are silent when a worker or Redis is killed: `python -m bench.failover --kill …`

Sessions speak at 1x; in mid-speech the process is killed with SIGKILL, and for each session the time to its
next event is printed, beside the longest time without one before that, because speech has pauses.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bench import environment
from bench.dataset import BUNDLED, Program, load, programs
from bench.replay import Recording, replay
from bench.server import Server, running_on_own_redis, workers
from shared.redis.embedded import EmbeddedServer

WORKER_S_MAX = 3.0
REDIS_S_MAX = 5.0


def silences(recording: Recording, killed_s: float) -> tuple[float, float]:
    """Seconds from the kill to the next event, and the longest gap between two events before."""
    at = killed_s - recording.zero_s
    times = [when for when, _ in recording.messages]
    before = [b - a for a, b in pairwise(t for t in times if t <= at)]
    after = min((t - at for t in times if t > at), default=float("inf"))
    return after, max(before, default=0.0)


def is_whole(recording: Recording) -> bool:
    """Whether every utterance has one final, and all audio was decided."""
    finals = [m["utterance"] for _, m in recording.messages if m["type"] == "final"]
    closed = [m for _, m in recording.messages if m["type"] == "closed"]
    return finals == list(range(len(finals))) and len(closed) == 1 and not recording.failure


async def play(
    options: argparse.Namespace, plan: Sequence[Program], service: Server, redis: EmbeddedServer
) -> tuple[list[Recording], float]:
    """All sessions, and the moment of the kill."""
    query = {"language": "en"}
    sessions = [asyncio.create_task(replay(service.stream_url, program, query=query)) for program in plan]
    await asyncio.sleep(options.after_s)
    killed_s = time.perf_counter()
    if options.kill == "redis":
        redis.kill()
        await asyncio.to_thread(redis.restart)
    else:
        for process in workers(service.pid)[: options.count]:
            process.kill()
    return await asyncio.gather(*sessions), killed_s


def main() -> int:
    """Exit status 1 when a session was silent for too long or is not whole."""
    parser = argparse.ArgumentParser(description="Kill a process under live sessions.")
    parser.add_argument("--kill", choices=("worker", "redis"), default="worker")
    parser.add_argument("--count", type=int, default=1, help="workers to kill at once")
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="scripted")
    parser.add_argument("--model", default="base")
    parser.add_argument("--after-s", type=float, default=8.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    described = environment.describe()
    plan = programs(load(BUNDLED), count=options.sessions, seconds=20.0)
    settings = {"engine": options.engine, "model": options.model, "workers": str(options.workers)}
    with running_on_own_redis(settings=settings) as (service, redis):
        recordings, killed_s = asyncio.run(play(options, plan, service, redis))
    rows = [(*silences(r, killed_s), is_whole(r), r.failure) for r in recordings]
    print("session  next event after the kill  longest gap before  whole")
    for n, (after_s, before_s, whole, failure) in enumerate(rows):
        print(f"{n:7}  {after_s:23.2f} s  {before_s:16.2f} s  {whole} {failure}")
    if options.json:
        keys = ("next_event_s", "longest_gap_before_s", "whole", "failure")
        kept = [dict(zip(keys, row, strict=True)) for row in rows]
        options.json.write_text(json.dumps({"environment": described, "sessions": kept}, indent=1))
    limit_s = WORKER_S_MAX if options.kill == "worker" else REDIS_S_MAX
    return 0 if all(after_s <= limit_s and whole for after_s, _, whole, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
