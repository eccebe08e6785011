"""More workers, one decode and one core each: how much quicker files are, what of that the machine gives, and
where the rest is.

Beside the service, in the same run, so many processes with a plain decoder each (faster-whisper's batched
pipeline, on a core of its own, sharing nothing) decode the same recordings: memory, caches and clocks are all
that they have in common, so that no service on this machine could do better.
"""

import argparse
import asyncio
import multiprocessing
import os
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import Any, Final

from bench.dataset import Program
from bench.file_peers import Peers
from bench.file_service import all_of, pin, workers, write_wav
from bench.server import free_port, running
from bench.usage import Usage, Watch

_BATCH: Final = 4
"""Rows of the plain decoders' batches, as many as a worker decodes together with one thread."""
_WARM_S: Final = 20.0

_DEVICE_S: Final = 'steno_device_seconds_total{kind="file"}'
_ROWS: Final = 'steno_decode_batch_size_sum{kind="file"}'
_BATCHES: Final = 'steno_decode_batch_size_count{kind="file"}'

_started: Barrier
_peers: Peers
"""Of a process with a plain decoder."""


def scaling(
    found: Sequence[Program], options: argparse.Namespace, settings: Mapping[str, str], scratch: Path
) -> dict[str, Any]:
    """Figures for each number of workers, and of one to the next."""
    audio_s = sum(recording.duration_s for recording in found)
    choice = {"model": options.model, "compute_type": options.compute_type}
    service: list[float] = []
    plain: list[float] = []
    figures: dict[str, Any] = {"audio_s": round(audio_s, 1)}
    for count in options.workers:
        took_s, spent = _service(found, count, options, settings, scratch)
        service.append(audio_s / took_s)
        plain.append(count * audio_s / plain_decoders(count, found, **choice))
        figures[f"{count} workers"] = {
            "wall_s": round(took_s, 2),
            "audio_s_per_s": round(service[-1], 2),
            **spent,
            "plain_audio_s_per_s": round(plain[-1], 2),
        }
    figures["ratios"] = [round(after / before, 3) for before, after in pairwise(service)]
    figures["plain_ratios"] = [round(after / before, 3) for before, after in pairwise(plain)]
    return figures


def _service(
    found: Sequence[Program],
    count: int,
    options: argparse.Namespace,
    settings: Mapping[str, str],
    scratch: Path,
) -> tuple[float, dict[str, float]]:
    """Seconds until all recordings are transcribed, asked for at once, and what that took."""
    paths = [write_wav(scratch / f"{n}.wav", recording.pcm16) for n, recording in enumerate(found)]
    port = free_port()
    chosen = {**settings, "workers": str(count), "threads": "1", "metrics_port": str(port)}
    with running(settings=chosen, log=options.log) as server:
        warm = write_wav(scratch / "warm.wav", found[0].pcm16, seconds=_WARM_S * count)
        asyncio.run(all_of(server, [warm], language=options.language))
        pin(workers(server))
        before = _counted(port, count)
        with Watch(server.pid) as watch:
            took_s = asyncio.run(all_of(server, paths, language=options.language))
        spent = Counter(_counted(port, count))
        spent.subtract(before)
    audio_s = sum(recording.duration_s for recording in found)
    return took_s, _figures(spent, watch.usage(), audio_s, count * took_s)


def _figures(spent: Mapping[str, float], usage: Usage, audio_s: float, worker_s: float) -> dict[str, float]:
    """Seconds for each second of audio: of batches on the devices, and of CPU of the workers and of what is
    beside them (edge, Redis, job workers). Also how long batches were, for what part of the time the devices
    had one, and how many cores others had, who are neither the service nor this process."""
    cpu_s = usage.cpu_s_by_command.get("worker", 0.0)
    return {
        "device_s_per_audio_s": round(spent[_DEVICE_S] / audio_s, 4),
        "rows_per_batch": round(spent[_ROWS] / spent[_BATCHES], 2),
        "devices_busy": round(spent[_DEVICE_S] / worker_s, 3),
        "worker_cpu_s_per_audio_s": round(cpu_s / audio_s, 4),
        "beside_cpu_s_per_audio_s": round((usage.cpu_s - cpu_s) / audio_s, 4),
        "others_cores": usage.others_cores,
    }


def _counted(port: int, count: int) -> dict[str, float]:
    """What all workers have counted of windows of files."""
    total: Counter[str] = Counter()
    for number in range(count):
        with urllib.request.urlopen(f"http://127.0.0.1:{port + number}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        found = dict(re.findall(r"^(steno_\S+) (\S+)$", text, re.MULTILINE))
        total.update({name: float(found.get(name, 0.0)) for name in (_DEVICE_S, _ROWS, _BATCHES)})
    return dict(total)


def plain_decoders(count: int, found: Sequence[Program], *, model: str, compute_type: str) -> float:
    """Seconds until `count` processes, each on a core of its own, have each transcribed all recordings."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        count, context, initializer=_prepare, initargs=(context.Barrier(count), model, compute_type)
    ) as pool:
        return max(pool.map(_transcribe, range(count), [found] * count))


def _prepare(started: Barrier, model: str, compute_type: str) -> None:
    global _started, _peers
    _started = started
    _peers = Peers(model=model, compute_type=compute_type, threads=1)


def _transcribe(core: int, found: Sequence[Program]) -> float:
    if hasattr(os, "sched_setaffinity"):
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
            os.sched_setaffinity(int(thread), {core % (os.cpu_count() or 1)})
    _started.wait()  # nobody has two of the tasks, and all begin together
    began_s = time.perf_counter()
    for recording in found:
        _peers.batched(recording, _BATCH)
    return time.perf_counter() - began_s
