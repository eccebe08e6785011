"""A live session while files fill the device: how much later its words come, and what files get."""

import argparse
import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.baseline import Baseline, measure
from bench.dataset import Program, load, programs
from bench.file_service import write_wav
from bench.replay import Recording, replay
from bench.report import Report, report
from bench.server import Server, running
from bench.usage import Watch
from client.jobs import Jobs
from shared.jobs import JobOptions

_FILE_HOURS = 2.0
"""Longer than any session that is played beside it."""


def live_beside_files(
    found: list[Program], options: argparse.Namespace, settings: dict[str, str], scratch: Path
) -> dict[str, Any]:
    """The same session without and with a file; `options.live` minutes each."""
    passages = load(options.data, language=options.language)
    (program,) = programs(passages, count=1, seconds=options.live * 60)
    choice = {"model": options.model, "compute_type": options.compute_type}
    baseline = measure(program.passages, **choice, threads=options.threads)
    path = write_wav(scratch / "file.wav", found[0].pcm16, seconds=_FILE_HOURS * 3600)
    with running(settings=settings, log=options.log) as server:
        alone, _ = asyncio.run(_play(server, program, None, options.language))
        beside, progress = asyncio.run(_play(server, program, path, options.language))
    first, second = (_figures(program, played, baseline) for played in (alone, beside))
    ratio = second["word_p95_s"] / first["word_p95_s"]
    done_s = progress * _FILE_HOURS * 3600
    return {
        "without files": first,
        "with files": second,
        "word_p95_ratio": round(ratio, 3),
        "file_audio_s_per_s": round(done_s / program.duration_s, 2),
    }


Played = tuple[Recording, Watch]


async def _play(server: Server, program: Program, path: Path | None, language: str) -> tuple[Played, float]:
    """The session, and how far the file came while it was played."""
    query = {"sample_rate": "16000", "language": language}
    with Watch(server.pid) as watch:
        async with Jobs(server.stream_url) as jobs:
            job = await jobs.submit(path, JobOptions(language=language)) if path else None
            recording = await replay(server.stream_url, program, query=query)
            progress = (await jobs.status(job.id)).progress if job else 0.0
            if job:
                await jobs.remove(job.id)
    return (recording, watch), progress


def _figures(program: Program, played: Played, baseline: Baseline) -> dict[str, Any]:
    recording, watch = played
    figures: Report = report([(program, recording)], baseline, watch.usage())
    return {
        "word_p50_s": figures.word_first.p50,
        "word_p95_s": figures.word_first.p95,
        "final_p50_s": figures.final.p50,
        "final_p95_s": figures.final.p95,
        "wer": round(figures.wer, 4),
        "failures": list(figures.failures),
        "others_cores": figures.others_cores,
        "errors": asdict(figures.errors),
    }
