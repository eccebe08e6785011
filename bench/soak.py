"""Hours of sessions that open, speak, close and die: `python -m bench.soak --minutes M --sessions N`.

Samples memory and open files of every process, Redis, and the latency of events against time; JSON, and a
plot as SVG. Exit status 1 when a session failed, a process grew, or something was left behind.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bench import environment
from bench.dataset import BUNDLED, load, programs
from bench.plot import svg
from bench.server import processes, running_on_own_redis, workers
from bench.soak_report import Sample, Soak, charts, grown, report
from shared.redis.connection import connect as connect_redis
from shared.redis.connection import connect_sync
from shared.redis.embedded import EmbeddedServer
from shared.redis.keys import is_permanent

SAMPLE_S: Final = 5.0
CHUNK_BYTES: Final = 3200
HANG_UP: Final = 0.15
"""Part of the sessions whose client is gone in mid-speech."""
CLOSE_S_MAX: Final = 30.0


async def speak(url: str, audio: bytes, soak: Soak, draw: random.Random) -> None:
    """One session of random length at 1x. What goes wrong is written down."""
    stop = round(len(audio) * draw.uniform(0.2, 1.0)) // CHUNK_BYTES * CHUNK_BYTES
    hang_up = draw.random() < HANG_UP
    soak.active += 1
    try:
        async with connect(url, compression=None) as socket:
            reader = asyncio.create_task(_read(socket, soak, zero := [0.0]))
            zero[0] = time.perf_counter()
            await _play(socket, audio[:stop], zero[0])
            if hang_up:
                socket.transport.abort()
                soak.hung_up += 1
            else:
                await socket.send(json.dumps({"type": "end"}))
            last = await asyncio.wait_for(reader, CLOSE_S_MAX)
            if not hang_up and last != "closed":
                soak.failures.append(f"ended with {last}")
            soak.closed += not hang_up
    except (WebSocketException, OSError, TimeoutError) as error:
        soak.failures.append(f"{type(error).__name__}: {error}")
    finally:
        soak.active -= 1


async def _play(socket: ClientConnection, audio: bytes, zero_s: float) -> None:
    for at in range(0, len(audio), CHUNK_BYTES):
        await asyncio.sleep(zero_s + (at + CHUNK_BYTES) / 32_000 - time.perf_counter())
        await socket.send(audio[at : at + CHUNK_BYTES])


async def _read(socket: ClientConnection, soak: Soak, zero: list[float]) -> str:
    last = ""
    try:
        async for data in socket:
            message: dict[str, Any] = json.loads(data)
            last = message["type"] if message["type"] != "error" else f"error {message['code']}"
            if last == "partial":
                soak.latencies_s.append(time.perf_counter() - zero[0] - message["end"])
    except ConnectionClosed:
        pass
    return last


async def lane(url: str, audio: Sequence[bytes], soak: Soak, until_s: float, draw: random.Random) -> None:
    """Session after session until it is time."""
    await asyncio.sleep(draw.uniform(0.0, 3.0))
    while time.perf_counter() < until_s:
        await speak(url, draw.choice(audio), soak, draw)
        await asyncio.sleep(draw.uniform(0.0, 1.0))


async def sample_until(soak: Soak, until_s: float, root: int, server: EmbeddedServer) -> None:
    """Sample until it is time."""
    client = connect_redis(server.url)
    began_s = time.perf_counter()
    try:
        while time.perf_counter() < until_s:
            await asyncio.sleep(SAMPLE_S)
            rss, files = await asyncio.to_thread(_measure, root, server.pid or 0)
            info, keys = await client.info("memory"), await client.dbsize()
            late_ms, soak.latencies_s = sorted(1000 * s for s in soak.latencies_s), []
            latency_ms = (
                {"p50": statistics.median(late_ms), "p95": late_ms[int(0.95 * len(late_ms))]}
                if late_ms
                else {}
            )
            soak.samples.append(
                Sample(
                    at_s=round(time.perf_counter() - began_s, 1),
                    rss_bytes=rss,
                    files=files,
                    redis_bytes=int(info["used_memory"]),
                    redis_keys=int(keys),
                    latency_ms={name: round(ms, 1) for name, ms in latency_ms.items()},
                    active=soak.active,
                )
            )
    finally:
        await client.aclose()


def _measure(root: int, server_pid: int) -> tuple[dict[str, int], dict[str, int]]:
    rss: dict[str, int] = {}
    files: dict[str, int] = {}
    for name, process in {**processes(root), "valkey": psutil.Process(server_pid)}.items():
        try:
            rss[name], files[name] = process.memory_info().rss, process.num_fds()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return rss, files


async def kill_workers(soak: Soak, every_s: float, root: int, draw: random.Random) -> None:
    """Kill a worker again and again; the supervisor starts it anew."""
    while every_s:
        await asyncio.sleep(every_s)
        if found := workers(root):
            draw.choice(found).kill()
            soak.kills += 1


async def soak_for(options: argparse.Namespace, url: str, root: int, server: EmbeddedServer) -> Soak:
    """All of it, until the last session is over."""
    soak, draw = Soak(), random.Random(options.seed)
    audio = [p.pcm16 for p in programs(load(BUNDLED), count=8, seconds=20.0)]
    until_s = time.perf_counter() + 60 * options.minutes
    lanes = [lane(url, audio, soak, until_s, random.Random(draw.random())) for _ in range(options.sessions)]
    killer = asyncio.create_task(kill_workers(soak, options.kill_s, root, draw))
    try:
        await asyncio.gather(sample_until(soak, until_s, root, server), *lanes)
    finally:
        killer.cancel()
        await asyncio.gather(killer, return_exceptions=True)
    return soak


def left_behind(server: EmbeddedServer) -> list[str]:
    """What is there without a live session: queue entries, audio, and keys without a time to live, apart from
    those that are declared permanent."""
    client = connect_sync(server.url)
    try:
        names = [key.decode() for key in client.scan_iter()]
        queued = [
            f"{name}: {n} entries" for name in names if ":sessions" in name and (n := client.xlen(name))
        ]
        lasting = [name for name in names if client.ttl(name) == -1 and not is_permanent(name)]
        return queued + lasting + [name for name in names if name.endswith(":audio")]
    finally:
        client.close()


def main() -> int:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description="Sessions open, speak, close and die, for long.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--sessions", type=int, default=16, metavar="N", help="open at once")
    parser.add_argument("--engine", default="scripted")
    parser.add_argument("--model", default="base")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--kill-s", type=float, default=0.0, metavar="S", help="kill a worker every S seconds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    options = parser.parse_args()
    described = environment.describe()
    settings = {
        "engine": options.engine,
        "model": options.model,
        "workers": str(options.workers),
        "resume_s": "5",
    }
    with running_on_own_redis(settings=settings) as (service, redis):
        soak = asyncio.run(soak_for(options, service.stream_url, service.pid, redis))
        time.sleep(10)  # sessions whose client hung up wait for it
        left = left_behind(redis)
    figures = report(soak) | {"left_behind": left}
    print(json.dumps(figures, indent=1))
    if options.json:
        kept = {"environment": described, "figures": figures, "samples": [asdict(s) for s in soak.samples]}
        options.json.write_text(json.dumps(kept), encoding="utf-8")
    if options.plot:
        options.plot.write_text(svg(charts(soak)), encoding="utf-8")
    return 1 if soak.failures or left or grown(soak) else 0


if __name__ == "__main__":
    sys.exit(main())
