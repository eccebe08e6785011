"""How many live sessions one edge process carries: `python -m bench.edge --idle 1000 --talking 100,200,300`.

One edge, one Redis, `bench.echo` as the worker, and this load generator, all on this machine. Talking
sessions send 16 kHz pcm16 in chunks of 100 ms at 1x and get an event every half second; idle ones have been
opened and say nothing. Measured for each event, in milliseconds:

* `up`: from the client's send of a chunk to the worker that has read it;
* `down`: from the worker's emit to the client that has the event parsed;
* `both`: their sum, which is what edge and Redis add to an event.

`slip` is how late the generator itself sends: where it is large, the machine is full, and the rest says less.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bench import environment
from bench.echo import STAMP
from bench.scoring import Spread
from shared.redis.embedded import EmbeddedServer

CHUNK_S: Final = 0.1
CHUNK: Final = bytes(3200)
OPEN_PER_S: Final = 60.0
SETTLE_S: Final = 3.0
READY_S_MAX: Final = 30.0


@dataclass
class Load:
    """What the generator saw; cleared for each step."""

    up_s: list[float] = field(default_factory=list[float])
    down_s: list[float] = field(default_factory=list[float])
    slips_s: list[float] = field(default_factory=list[float])
    chunks: int = 0
    lost: int = 0
    """Sessions that ended."""

    def clear(self) -> None:
        """Begin to measure."""
        for values in (self.up_s, self.down_s, self.slips_s):
            values.clear()
        self.chunks = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One number of talking sessions."""

    idle: int
    talking: int
    seconds: float
    chunks_per_s: float
    up_ms: Spread
    down_ms: Spread
    both_ms: Spread
    slip_ms: Spread
    lost: int
    cores: dict[str, float]
    """CPU seconds per second, by process; `all` is the machine's, with whatever else runs there."""
    rss_bytes: dict[str, int]


async def session(url: str, load: Load, *, talks: bool, opened: asyncio.Event) -> None:
    """One session, until cancelled."""
    try:
        async with connect(url, compression=None, ping_interval=None) as socket:
            await socket.recv()
            opened.set()
            speaking = asyncio.create_task(_speak(socket, load)) if talks else None
            try:
                async for data in socket:
                    _note(json.loads(data), load)
            finally:
                if speaking is not None:
                    speaking.cancel()
        load.lost += 1
    except (WebSocketException, OSError):
        load.lost += 1
    finally:
        opened.set()


def _note(message: dict[str, Any], load: Load) -> None:
    if message["type"] == "partial":
        sent_s, read_s, emitted_s = map(float, message["text"].split())
        load.up_s.append(read_s - sent_s)
        load.down_s.append(time.monotonic() - emitted_s)


async def _speak(socket: ClientConnection, load: Load) -> None:
    chunk = bytearray(CHUNK)
    due_s = time.monotonic()
    while True:
        due_s += CHUNK_S
        await asyncio.sleep(due_s - time.monotonic())
        now_s = time.monotonic()
        load.slips_s.append(now_s - due_s)
        load.chunks += 1
        STAMP.pack_into(chunk, 0, now_s)
        await socket.send(bytes(chunk))


class Meter:
    """CPU and memory of processes between two moments."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._began_s = time.monotonic()
        self._before = self._cpu()

    def read(self) -> tuple[dict[str, float], dict[str, int]]:
        """CPU seconds per second since the beginning, and resident sizes."""
        wall_s, now = time.monotonic() - self._began_s, self._cpu()
        cores = {name: round((now[name] - self._before[name]) / wall_s, 3) for name in now}
        return cores, {name: p.memory_info().rss for name, p in self._processes.items()}

    def _cpu(self) -> dict[str, float]:
        machine = psutil.cpu_times()
        spent = {name: sum(p.cpu_times()[:2]) for name, p in self._processes.items()}
        return {**spent, "all": machine.user + machine.system}


async def measure(options: argparse.Namespace, url: str, pids: dict[str, int]) -> list[Step]:
    """Step by step on the same sessions: idle ones first, then more and more that talk."""
    load = Load()
    tasks: list[asyncio.Task[None]] = []

    async def open_one(*, talks: bool) -> None:
        opened = asyncio.Event()
        tasks.append(asyncio.create_task(session(url, load, talks=talks, opened=opened)))
        await asyncio.gather(opened.wait(), asyncio.sleep(1 / OPEN_PER_S))

    steps: list[Step] = []
    try:
        for _ in range(options.idle):
            await open_one(talks=False)
        talking = 0
        for count in options.talking:
            for _ in range(count - talking):
                await open_one(talks=True)
            talking = count
            await asyncio.sleep(SETTLE_S)
            load.clear()
            meter = Meter({**pids, "generator": os.getpid()})
            await asyncio.sleep(options.seconds)
            steps.append(_step(options, talking, load, *meter.read()))
            print(row(steps[-1]), flush=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return steps


def _step(
    options: argparse.Namespace, talking: int, load: Load, cores: dict[str, float], rss_bytes: dict[str, int]
) -> Step:
    def spread(values_s: Sequence[float]) -> Spread:
        return Spread.of([1000 * s for s in values_s])

    both_s = [up + down for up, down in zip(load.up_s, load.down_s, strict=True)]
    return Step(
        idle=options.idle,
        talking=talking,
        seconds=options.seconds,
        chunks_per_s=round(load.chunks / options.seconds, 1),
        up_ms=spread(load.up_s),
        down_ms=spread(load.down_s),
        both_ms=spread(both_s),
        slip_ms=spread(load.slips_s),
        lost=load.lost,
        cores=cores,
        rss_bytes=rss_bytes,
    )


def row(step: Step) -> str:
    """A line of the table."""
    names = ("edge", "redis", "echo", "generator", "all")
    latencies = " | ".join(
        f"{s.p50:.1f} / {s.p95:.1f}" for s in (step.up_ms, step.down_ms, step.both_ms, step.slip_ms)
    )
    cores = " | ".join(f"{step.cores[name]:.2f}" for name in names)
    rss = ", ".join(f"{step.rss_bytes[name] / 1e6:.0f}" for name in ("edge", "redis"))
    counts = f"{step.idle} | {step.talking} | {step.chunks_per_s:.0f}"
    return f"| {counts} | {latencies} | {cores} | {rss} | {step.lost} |"


HEADER: Final = (
    "| idle | talking | chunks/s | up p50 / p95, ms | down | both | slip "
    "| edge, cores | redis | echo | generator | all | RSS edge, redis, MB | lost |\n" + "| --- " * 14 + "|"
)


@contextmanager
def _child(command: Sequence[str], log: Path, **settings: str) -> Generator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        env = os.environ | {f"STENO_{name.upper()}": value for name, value in settings.items()}
        process = subprocess.Popen([sys.executable, *command], env=env, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(READY_S_MAX)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_open(url: str) -> None:
    async with asyncio.timeout(READY_S_MAX):
        while True:
            try:
                async with connect(url) as socket:
                    await socket.recv()
                    return
            except (WebSocketException, OSError):
                await asyncio.sleep(0.2)


async def _run(options: argparse.Namespace, url: str, pids: dict[str, int]) -> list[Step]:
    await _until_open(url)
    return await measure(options, url, pids)


def main() -> int:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description="Load one edge process with live sessions.")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument(
        "--talking", type=lambda text: [int(n) for n in text.split(",")], default=[100, 200, 300]
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="measured at each step")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="run the edge under cProfile")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    described = environment.describe()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no process is left behind
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steno-edge-")))
        server = EmbeddedServer(scratch / "valkey")
        server.start()
        stack.callback(server.stop)
        echo = stack.enter_context(_child(["-m", "bench.echo", server.url], scratch / "echo"))
        port = _free_port()
        profiled = ["-m", "cProfile", "-o", str(options.profile)] if options.profile else []
        settings = {"redis_url": server.url, "port": str(port), "data_dir": str(scratch / "data")}
        edge = stack.enter_context(_child([*profiled, "-m", "api"], scratch / "edge", **settings))
        print(HEADER, flush=True)
        pids = {"edge": edge.pid, "redis": server.pid or 0, "echo": echo.pid}
        url = f"ws://127.0.0.1:{port}/v1/stream?language=en"
        steps = uvloop.run(_run(options, url, pids))
    if options.json:
        kept = {"environment": described, "steps": [asdict(step) for step in steps]}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 1 if any(step.lost for step in steps) else 0


if __name__ == "__main__":
    sys.exit(main())
