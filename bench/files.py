"""File jobs against faster-whisper, and what they promise: `python -m bench.files --data DIR [--json FILE]`.

Without a mode: throughput, CPU, word errors and words left out of faster-whisper (`transcribe` with beam 5,
and its batched pipeline at several batch sizes) and of Steno's jobs on the folder's long recordings, on the
same machine and in the same run: each recording goes through all of them before the next one. A job goes
through everything: upload, job worker, Redis, device worker, assembly.

    --workers 1,2     seconds for all recordings with so many workers of one decode each, on a core each, and
                      with as many plain decoders that share nothing: what the machine gives
    --long HOURS      a file of that length: seconds to its first finished segment, and from its cancel to an
                      idle device
    --memory MINUTES  largest resident sizes by length of file, with the scripted engine
    --crowd JOBS      so many files of a second at once, with the scripted engine: what is taken, refused and
                      lost; pace, memory, the list, and a live session beside them
    --speakers NAMES  conversations between these speakers of the folder ('held-out': those on whom nothing
                      was chosen): words that a job gives to the wrong one
    --live MINUTES    word latency of a live session without files, and while files fill the device
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from bench import environment
from bench.dataset import BUNDLED, Program, recordings
from bench.file_peers import Heard, Peers
from bench.file_service import (
    first_segment_and_cancel,
    heard_by,
    peaks_beside,
    transcribe,
    write_wav,
)
from bench.files_crowd import crowd
from bench.files_live import live_beside_files
from bench.files_speakers import HELD_OUT, speakers
from bench.files_workers import scaling
from bench.scoring import WordErrors, left_out, total, word_errors
from bench.server import running


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _options(arguments)
    described = environment.describe()
    found = recordings(options.data, language=options.language, minutes=options.minutes)
    found = [found[n] for n in options.recordings or range(len(found))]
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as scratch:
        figures = _mode(options)(found, options, Path(scratch))
    print(json.dumps(figures, indent=1))
    if options.json:
        choices = {name: str(value) for name, value in vars(options).items()}
        kept = {"environment": described, "options": choices, "figures": figures}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure file jobs.")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="default: tests/data")
    parser.add_argument("--language", default="en")
    parser.add_argument("--minutes", type=float, default=10.0, help="least length of a recording")
    parser.add_argument("--recordings", type=_numbers, metavar="NUMBERS", help="which of them, from 0")
    parser.add_argument("--model", default="base")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--batches", type=_numbers, default=[4, 8, 16], metavar="SIZES")
    parser.add_argument("--threads", type=int, default=psutil.cpu_count() or 1, help="of faster-whisper")
    parser.add_argument("--only-steno", action="store_true", help="leave faster-whisper out")
    parser.add_argument("--workers", type=_numbers, metavar="COUNTS")
    parser.add_argument("--long", type=float, metavar="HOURS")
    parser.add_argument("--memory", type=_numbers, metavar="MINUTES")
    parser.add_argument("--crowd", type=int, metavar="JOBS")
    parser.add_argument("--speakers", type=_names, metavar="NAMES")
    parser.add_argument("--live", type=float, metavar="MINUTES")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="STENO_* setting")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep what the service prints")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(text: str) -> tuple[str, ...]:
    return HELD_OUT if text == "held-out" else tuple(text.split(","))


Mode = Callable[[list[Program], argparse.Namespace, Path], dict[str, Any]]


def _mode(options: argparse.Namespace) -> Mode:
    if options.workers:
        return _scaling
    if options.long:
        return _long
    if options.memory:
        return _memory
    if options.crowd:
        return _crowd
    if options.speakers:
        return _speakers
    return _live if options.live else _throughput


def _settings(options: argparse.Namespace) -> dict[str, str]:
    chosen = dict(pair.split("=", 1) for pair in options.set)
    return {"model": options.model, "compute_type": options.compute_type, **chosen}


def _throughput(found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    choice = {"model": options.model, "compute_type": options.compute_type}
    peers = None if options.only_steno else Peers(**choice, threads=options.threads)
    heard: dict[str, list[Heard]] = {}
    with running(settings=_settings(options), log=options.log) as server:
        heard_by(server, write_wav(scratch / "warm.wav", found[0].pcm16, seconds=20), found[0])
        for number, recording in enumerate(found):
            path = write_wav(scratch / f"{number}.wav", recording.pcm16)
            if peers:
                _note(heard, "transcribe, beam 5", recording, peers.sequential(recording))
                for size in options.batches:
                    _note(heard, f"batched pipeline, {size}", recording, peers.batched(recording, size))
            _note(heard, "steno job", recording, heard_by(server, path, recording))
    audio_s = sum(recording.duration_s for recording in found)
    return {"audio_s": round(audio_s, 1)} | {name: _figures(found, rows) for name, rows in heard.items()}


def _note(heard: dict[str, list[Heard]], name: str, recording: Program, row: Heard) -> None:
    heard.setdefault(name, []).append(row)
    errors = _errors(recording, row.text)
    pace = recording.duration_s / row.wall_s
    print(
        f"{name:24} {recording.duration_s:7.1f} s  {pace:5.1f} x  WER {errors.rate:.2%}  "
        f"left out {_left_out(recording, row.text)}",
        file=sys.stderr,
        flush=True,
    )


def _figures(found: Sequence[Program], rows: Sequence[Heard]) -> dict[str, Any]:
    audio_s = sum(recording.duration_s for recording in found)
    pairs = list(zip(found, rows, strict=True))
    errors = total(_errors(recording, row.text) for recording, row in pairs)
    return {
        "audio_s_per_s": round(audio_s / sum(row.wall_s for row in rows), 2),
        "cpu_s_per_audio_s": round(sum(row.cpu_s for row in rows) / audio_s, 4),
        "wer": round(errors.rate, 4),
        "words_left_out": sum(_left_out(recording, row.text) for recording, row in pairs),
        "errors": asdict(errors),
    }


def _errors(recording: Program, text: str) -> WordErrors:
    return word_errors(_said(recording), text, recording.passages[0].language)


def _left_out(recording: Program, text: str) -> int:
    return left_out(_said(recording), text, recording.passages[0].language)


def _said(recording: Program) -> str:
    return " ".join(passage.text for passage in recording.passages)


def _scaling(found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return scaling(found, options, _settings(options), scratch)


def _long(found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    path = write_wav(scratch / "long.wav", found[0].pcm16, seconds=options.long * 3600)
    with running(settings=_settings(options), log=options.log) as server:
        timed = asyncio.run(first_segment_and_cancel(server, path, language=options.language))
    names = ("upload_s", "first_segment_s", "idle_after_cancel_s")
    return {"hours": options.long} | {name: round(s, 2) for name, s in zip(names, timed, strict=True)}


def _memory(found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for minutes in options.memory:
        path = write_wav(scratch / "file.wav", found[0].pcm16, seconds=minutes * 60)
        # A new service for each length: what a process took once it may keep.
        with running(settings={**_settings(options), "engine": "scripted"}, log=options.log) as server:
            started_s = time.perf_counter()
            peaks, _ = asyncio.run(peaks_beside(server, transcribe(server, path, language=options.language)))
            took_s = time.perf_counter() - started_s
        figures[f"{minutes} minutes"] = {
            name: round(peak / 1e6, 1) for name, peak in sorted(peaks.items())
        } | {"took_s": round(took_s, 1)}
    return figures


def _crowd(found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return crowd(found, options, {"engine": "scripted", **_settings(options)}, scratch)


def _speakers(_found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return speakers(options, _settings(options), scratch)


def _live(found: list[Program], options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return live_beside_files(found, options, _settings(options), scratch)


if __name__ == "__main__":
    sys.exit(main())
