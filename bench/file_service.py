"""File jobs of a running service, watched from outside."""

import asyncio
import os
import time
import wave
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil

from bench.dataset import Program
from bench.file_peers import Heard
from bench.server import Server
from bench.usage import Watch
from client.jobs import Jobs
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.jobs import JobOptions
from shared.transcript import Segment

T = TypeVar("T")

IDLE_SHARE = 0.1
"""A worker that uses less of a core than this is idle."""
_LOOK_S = 0.1


def write_wav(path: Path, pcm16: bytes, *, seconds: float | None = None) -> Path:
    """The audio as a WAV file; again and again until it is `seconds` long."""
    left = len(pcm16) if seconds is None else round(seconds * SAMPLE_RATE) * SAMPLE_BYTES
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE)
        while left > 0:
            file.writeframes(pcm16[:left])
            left -= min(left, len(pcm16))
    return path


async def transcribe(server: Server, path: Path, *, language: str) -> str:
    """The text of a file."""
    async with Jobs(server.stream_url) as jobs:
        job = await jobs.submit(path, JobOptions(language=language))
        async for _ in jobs.events(job.id):
            pass
        text = await jobs.result(job.id, "txt")
        await jobs.remove(job.id)
        return " ".join(text.split())


def heard_by(server: Server, path: Path, recording: Program) -> Heard:
    """One job, from its upload to its text; CPU of all processes of the service."""
    with Watch(server.pid) as watch:
        started_s = time.perf_counter()
        text = asyncio.run(transcribe(server, path, language=recording.passages[0].language))
        wall_s = time.perf_counter() - started_s
    return Heard(text=text, wall_s=wall_s, cpu_s=watch.usage().cpu_s)


async def all_of(server: Server, paths: list[Path], *, language: str) -> float:
    """Seconds until all files are transcribed, asked for at once."""
    started_s = time.perf_counter()
    await asyncio.gather(*(transcribe(server, path, language=language) for path in paths))
    return time.perf_counter() - started_s


async def first_segment_and_cancel(
    server: Server, path: Path, *, language: str
) -> tuple[float, float, float]:
    """Seconds that the upload takes, from its end to the first finished segment, and from the answer to a
    cancel until every worker is idle."""
    async with Jobs(server.stream_url) as jobs:
        began_s = time.perf_counter()
        job = await jobs.submit(path, JobOptions(language=language))
        uploaded_s = time.perf_counter()
        async for event in jobs.events(job.id):
            if isinstance(event, Segment):
                break
        first_s = time.perf_counter() - uploaded_s
        await asyncio.sleep(10)  # in the middle of it
        await jobs.remove(job.id)
        cancelled_s = time.perf_counter()
        idle_s = await asyncio.to_thread(_until_idle, workers(server))
        return uploaded_s - began_s, first_s, idle_s - cancelled_s


def workers(server: Server) -> list[psutil.Process]:
    """The service's device workers."""
    return [p for p in psutil.Process(server.pid).children(recursive=True) if _runs(p, "worker")]


def pin(processes: list[psutil.Process]) -> None:
    """Give each process a core of its own, where the system can (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for core, process in enumerate(processes):
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {core % (os.cpu_count() or 1)})


async def peaks_beside(server: Server, work: Coroutine[Any, Any, T]) -> tuple[Mapping[str, int], T]:
    """The largest resident size of each kind of process while something is done, and what came of that."""
    peaks: dict[str, int] = {}
    working = asyncio.create_task(work)
    while not working.done():
        for process in psutil.Process(server.pid).children(recursive=True):
            try:
                kind = _kind(process)
                peaks[kind] = max(peaks.get(kind, 0), process.memory_info().rss)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        await asyncio.sleep(_LOOK_S)
    return peaks, await working


def _kind(process: psutil.Process) -> str:
    line = process.cmdline()
    name = line[line.index("-m") + 1] if "-m" in line[:-1] else process.name()
    # RQ forks for each job.
    return f"{name}, job" if name == "worker.jobs" and not process.children() else name


def _runs(process: psutil.Process, module: str) -> bool:
    line = process.cmdline()
    return "-m" in line[:-1] and line[line.index("-m") + 1] == module


def _until_idle(processes: list[psutil.Process]) -> float:
    """The moment from which on all were idle."""
    while True:
        at_s = time.perf_counter()
        before_s = sum(sum(p.cpu_times()[:2]) for p in processes)
        time.sleep(2 * _LOOK_S)
        if sum(sum(p.cpu_times()[:2]) for p in processes) - before_s < IDLE_SHARE * 2 * _LOOK_S:
            return at_s
