"""How files are cut and decoded: window length, beam, batch, and second decodes of windows that left
something out, without the service: `python -m bench.experiments.file_windows --data DIR --window 20 8`.

Prints word errors, words left out, and CPU seconds per second of audio on one thread (voice detection not
included) of the folder's long recordings.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.dataset import BUNDLED, Program, recordings
from bench.scoring import WordErrors, left_out, total, word_errors
from shared.audio.pcm import pcm16_to_float, to_seconds
from shared.models import resolve
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.device import Device, WindowRequest
from worker.engine.api import Engine, EngineOptions, make_engine
from worker.engine.silero import SileroVad
from worker.jobs.cutter import Cutter, CutterConfig, Stretch
from worker.jobs.seams import Seams
from worker.jobs.splitter import Splitter
from worker.whole_windows import whole


def main() -> None:
    """One row of figures for each recording, and one for all."""
    parser = argparse.ArgumentParser(description="Windows of files without the service.")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR")
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", type=float, default=1.0, help="least length of a recording")
    parser.add_argument("--recordings", type=int, nargs="*", help="which of them, from 0")
    parser.add_argument("--window", type=float, nargs=2, default=(20.0, 8.0), metavar=("LONGEST", "SEARCH"))
    parser.add_argument("--beam", type=int, default=0, help="0: the engine's own")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--no-parts", action="store_true", help="believe windows that left something out")
    options = parser.parse_args()
    path = resolve(options.model).path
    engine = make_engine("faster_whisper", EngineOptions(model=options.model, path=path, device="cpu"))
    engine.prepare()
    rows: list[tuple[WordErrors, int, float, float]] = []
    found = recordings(options.data, minutes=options.minutes)
    for recording in [found[n] for n in options.recordings or range(len(found))]:
        windows = _cut(recording, CutterConfig(window_s_max=options.window[0], search_s=options.window[1]))
        cpu_s = time.process_time()
        text = asyncio.run(_text(engine, windows, options))
        cpu_s = time.process_time() - cpu_s
        said = " ".join(passage.text for passage in recording.passages)
        rows.append((word_errors(said, text), left_out(said, text), cpu_s, recording.duration_s))
        _say(recording.passages[0].name, rows[-1:])
    _say("all", rows)


def _say(name: str, rows: Sequence[tuple[WordErrors, int, float, float]]) -> None:
    errors = total(row[0] for row in rows)
    cpu = sum(row[2] for row in rows) / sum(row[3] for row in rows)
    lost = sum(row[1] for row in rows)
    print(f"{name:44} WER {errors.rate:6.2%}  left out {lost:3}  CPU {cpu:.4f} s/s", flush=True)


def _cut(recording: Program, config: CutterConfig) -> list[Stretch]:
    splitter = Splitter(SileroVad().frames, Cutter(config))
    return [*splitter.push(recording.pcm16), *splitter.flush()]


async def _text(engine: Engine, found: list[Stretch], options: argparse.Namespace) -> str:
    requests = [
        DecodeRequest(
            kind=Kind.FILE, audio=pcm16_to_float(s.pcm16), language="en", words=True, beam=options.beam
        )
        for s in found
    ]
    heard: list[DecodeResult] = []
    for at in range(0, len(requests), options.batch):
        heard += engine.decode(requests[at : at + options.batch])
    if not options.no_parts:
        device = Device(engine)
        heard = [
            await whole(device, WindowRequest(str(n), request), result, stretch.speech)
            for n, (request, result, stretch) in enumerate(zip(requests, heard, found, strict=True))
        ]
    return joined_text(found, heard)


def joined_text(found: Sequence[Stretch], heard: Sequence[DecodeResult]) -> str:
    """The text of windows that may overlap."""
    seams = Seams()
    for index, s in enumerate(found):
        lead_s, trail_s = to_seconds(s.lead_samples), to_seconds(s.trail_samples)
        seams.expect(index, to_seconds(s.start), lead_s=lead_s, trail_s=trail_s)
    own: dict[int, str] = {}
    for index, (stretch, result) in enumerate(zip(found, heard, strict=True)):
        at_s = to_seconds(stretch.start)
        words = [replace(word, start=word.start + at_s, end=word.end + at_s) for word in result.words]
        own |= {n: " ".join(word.text for word in mine) for n, mine in seams.heard(index, words)}
    return " ".join(own[n] for n in sorted(own))


if __name__ == "__main__":
    main()
