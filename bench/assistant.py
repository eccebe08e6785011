"""An engine for a voice assistant: `python -m bench.assistant [--model base --model tiny.en] [--json FILE]`.

For this process and for a service on this machine: how long until it is ready, how long after each chunk of a
second there is text that has heard it, and how long the text of an utterance takes that was cut out already
(what FastRTC's `ReplyOnPause` waits for). Clips are spoken at 1x, one after another, by one speaker.
"""

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from assistant import STTEngine
from bench import environment
from bench.dataset import BUNDLED, Clip, clips
from bench.scoring import Spread, total, word_errors
from bench.server import running
from client.options import StreamOptions
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, to_seconds
from shared.events import Final, Partial

CHUNK_S = 1.0
READY_S_AIM = 12.0
TEXT_S_AIM = 0.35
EDGE_S = 0.3
"""So much of a chunk has to lie within the clip, or nothing new may be said in it: clips begin and end with
some silence."""
_READY = """
import sys
from assistant import STTEngine
STTEngine().warmup()
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(slots=True)
class Measured:
    """One way to decode, with one model. Seconds."""

    backend: str
    model: str
    ready_s: float = math.nan
    chunk_s: float | None = None
    """The interval that the engine chose."""
    text_s: list[float] = field(default_factory=list[float])
    """From the arrival of a chunk to the first text that has heard some of it."""
    unheard: int = 0
    """Chunks that no text but the next one's ever heard."""
    utterance_s: list[float] = field(default_factory=list[float])
    """From an utterance to its text."""
    word_errors: float = math.nan
    """Of the live finals."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit status whether the aims are met."""
    parser = argparse.ArgumentParser(description="Ready time and text latency of STTEngine.")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="default: tests/data")
    parser.add_argument("--language", default="en")
    parser.add_argument("--model", action="append", metavar="NAME", help="default: base")
    parser.add_argument("--backend", action="append", choices=("faster", "huggingface", "remote"))
    parser.add_argument("--seconds", type=float, default=60.0, help="audio that is played with each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything")
    options = parser.parse_args(arguments)
    described = environment.describe()
    played = list(within(clips(options.data, language=options.language, longest_s=30.0), options.seconds))
    found = [
        measure(backend, model, played, options.language)
        for model in options.model or ["base"]
        for backend in options.backend or ["faster", "remote"]
    ]
    print(table(found))
    if options.json:
        kept = {"environment": described, "measured": [asdict(one) for one in found]}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return 0 if all(_meets(one) for one in found) else 1


def measure(backend: str, model: str, played: Sequence[Clip], language: str) -> Measured:
    """One way, from its start."""
    found = Measured(backend, model)
    with _started(backend, model) as (settings, service_s):
        found.ready_s = round(service_s + _ready_s(settings), 2)
        with STTEngine(backend, model=model, url=settings.get("STENO_URL"), language=language) as engine:
            engine.warmup()
            found.chunk_s = engine.chunk_s
            finals = [asyncio.run(_live(engine, clip, found, language)) for clip in played]
            found.unheard = sum(not math.isfinite(late_s) for late_s in found.text_s)
            found.text_s = [late_s for late_s in found.text_s if math.isfinite(late_s)]
            for clip in played:
                samples = np.frombuffer(clip.pcm16, "<i2")
                began_s = time.perf_counter()
                engine.stt((SAMPLE_RATE, samples))
                found.utterance_s.append(round(time.perf_counter() - began_s, 4))
    pairs = zip(played, finals, strict=True)
    found.word_errors = round(total(word_errors(c.text, text, language) for c, text in pairs).rate, 4)
    return found


def table(found: Sequence[Measured]) -> str:
    """The figures, with the aims."""
    head = (
        f"{'':22}{'ready':>9}{'every':>8}{'text p50':>10}{'p95':>8}{'chunks':>8}{'missed':>8}"
        f"{'stt p50':>9}{'p95':>8}{'WER':>8}"
    )
    rows = [head]
    for one in found:
        text, whole = Spread.of(one.text_s), Spread.of(one.utterance_s)
        every = f"{one.chunk_s:.2f} s" if one.chunk_s else "–"
        name = f"{one.backend} {one.model}"
        rows.append(
            f"{name:22}{one.ready_s:7.1f} s{every:>8}{text.p50:8.3f} s{text.p95:8.3f}{text.count:8d}"
            f"{one.unheard:8d}{whole.p50:7.3f} s{whole.p95:8.3f}{one.word_errors * 100:7.1f}%"
        )
    rows.append(f"{'aim':22}{READY_S_AIM:7.1f} s{'':8}{'':10}{TEXT_S_AIM:8.3f}")
    return "\n".join(rows)


def heard_s(arrived: Sequence[tuple[float, float]], texts: Sequence[tuple[float, float]]) -> Iterator[float]:
    """For each chunk the seconds from its arrival to the first text that has heard some of it; infinite when
    only a text that had the next chunk as well did. Pairs of a time and the second of audio that had been
    reached then, for chunks and texts in order. Pure."""
    before_s = 0.0
    for number, (at_s, end_s) in enumerate(arrived):
        own = next(((t_s, to_s) for t_s, to_s in texts if t_s >= at_s and to_s > before_s), None)
        is_last = number == len(arrived) - 1
        is_own = own is not None and (own[1] <= end_s or is_last)
        yield round(own[0] - at_s, 4) if own is not None and is_own else math.inf
        before_s = end_s


async def _live(engine: STTEngine, clip: Clip, found: Measured, language: str) -> str:
    """Speak a clip in chunks, each sent when its last sample has been spoken. Returns the finals."""
    arrived: list[tuple[float, float]] = []
    texts: list[tuple[float, float]] = []
    clock = asyncio.get_running_loop().time
    step = round(CHUNK_S * SAMPLE_RATE) * SAMPLE_BYTES
    async with engine.live(StreamOptions(language=language)) as session:

        async def speak() -> None:
            began_s = clock()
            for start in range(0, len(clip.pcm16), step):
                chunk = clip.pcm16[start : start + step]
                end_s = to_seconds((start + len(chunk)) // SAMPLE_BYTES)
                await asyncio.sleep(began_s + end_s - clock())
                arrived.append((clock(), end_s))
                await session.send(chunk)
            await session.end()

        speaking = asyncio.create_task(speak())
        async for event in session:
            if isinstance(event, Partial | Final) and event.text:
                texts.append((clock(), event.end))
        await speaking
        said = session.transcript.finals
    heard = list(heard_s(arrived, texts))
    found.text_s += [
        late_s
        for (_, end_s), late_s in zip(arrived, heard, strict=True)
        if end_s - CHUNK_S >= EDGE_S and end_s <= clip.duration_s - EDGE_S
    ]
    return said


@contextmanager
def _started(backend: str, model: str) -> Generator[tuple[dict[str, str], float]]:
    """Variables for the application, and the time that the service took to be ready."""
    variables = {"STENO_ENGINE": backend, "STENO_MODEL": model}
    if backend != "remote":
        yield variables, 0.0
        return
    with running(settings={"model": model}) as server:
        yield variables | {"STENO_URL": f"ws://{server.address}"}, server.ready_s


def _ready_s(variables: dict[str, str]) -> float:
    """From the start of a new process to a warm engine in it."""
    began_s = time.perf_counter()
    command = [sys.executable, "-c", _READY]
    with subprocess.Popen(
        command, env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        said = process.stdout.readline()
        ready_s = time.perf_counter() - began_s
        process.stdin.close()
    if said.strip() != b"ready":
        raise RuntimeError("the engine did not become ready; what it said is above")
    return ready_s


def within(found: Sequence[Clip], seconds: float) -> Iterator[Clip]:
    played_s = 0.0
    for clip in found:
        if played_s < seconds:
            played_s += clip.duration_s
            yield clip


def _meets(one: Measured) -> bool:
    return one.ready_s <= READY_S_AIM and Spread.of(one.text_s).p95 <= TEXT_S_AIM


if __name__ == "__main__":
    sys.exit(main())
