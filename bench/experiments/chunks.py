"""Text behind each chunk, by session options: `python -m bench.experiments.chunks [--set NAME=VALUE,…]`.

Clips are spoken to one session after another in chunks of a second, as `bench.assistant` does, but on a
virtual clock (`bench.virtual`) with what decodes take by a table, so that the figures are those of a machine
with nothing else to do, and one chunk's latency can be told to its parts. `--set` as in `session_options`.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.answers import Answers, Remembered, source_of
from bench.assistant import EDGE_S, heard_s, within
from bench.dataset import BUNDLED, Clip, Passage, Program, clips
from bench.experiments.session_options import variant
from bench.latency import transcript
from bench.scoring import Spread, WordErrors, total, word_errors
from bench.virtual import Played, Setting, Timed, play
from shared.audio.pcm import SAMPLE_RATE, to_samples
from shared.events import Final, Partial
from shared.models import resolve
from worker.core.effects import SessionOptions
from worker.engine.api import Engine, EngineOptions, make_engine

_LONGEST_S = 30.0


def main() -> None:
    """Measure each variant and print a line for it."""
    parser = argparse.ArgumentParser(description="Text behind a chunk, by session options.")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="default: tests/data")
    parser.add_argument("--model", default="base")
    parser.add_argument("--cost", default="cpu-zen4-base", help="a table of bench/costs: what decodes take")
    parser.add_argument("--chunk", type=float, default=1.0, metavar="S")
    parser.add_argument("--seconds", type=float, default=60.0, help="audio that is played with each")
    parser.add_argument("--slots", type=int, default=2, help="decodes at once")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="keep decodes for the next run")
    parser.add_argument("--set", action="append", default=[], dest="variants", metavar="NAME=VALUE,…")
    parser.add_argument("--parts", type=float, metavar="S", help="what chunks later than that waited for")
    options = parser.parse_args()
    path = resolve(options.model).path
    engine = make_engine("faster_whisper", EngineOptions(model=options.model, path=path, device="cpu"))
    engine.prepare()
    engine = Remembered(engine, answers=Answers(options.answers, source_of(engine.info)))
    played = list(within(clips(options.data, longest_s=_LONGEST_S), options.seconds))
    setting = Setting(cost=options.cost, chunk_samples=to_samples(options.chunk))
    for text in options.variants or [""]:
        chosen = variant(text)
        runs = [_play(engine, clip, chosen, options.slots, setting) for clip in played]
        print(text or "as shipped", json.dumps(figures(played, runs, setting)), flush=True)
        if options.parts is not None:
            for line in parts(played, runs, setting, options.parts):
                print("   ", line)


def figures(played: Sequence[Clip], runs: Sequence[Played], setting: Setting) -> dict[str, Any]:
    """Latency of chunks, word errors of finals, cost."""
    late = [
        late_s for clip, run in zip(played, runs, strict=True) for _, late_s in chunks(clip, run, setting)
    ]
    heard = Spread.of([late_s for late_s in late if math.isfinite(late_s)])
    errors: list[WordErrors] = [
        word_errors(clip.text, transcript(run.arrivals[0])) for clip, run in zip(played, runs, strict=True)
    ]
    audio_s = sum(clip.duration_s for clip in played)
    cost = sum((Counter(run.cpu_s) for run in runs), Counter[str]())
    finals = [
        arrival.at_s - arrival.event.end
        for run in runs
        for arrival in run.arrivals[0]
        if isinstance(arrival.event, Final)
    ]
    return {
        "text_s": [round(heard.p50, 3), round(heard.p95, 3)],
        "missed": f"{sum(map(math.isinf, late))} of {len(late)}",
        "final_s": [round(Spread.of(finals).p50, 2), round(Spread.of(finals).p95, 2)],
        "wer": round(total(errors).rate, 4),
        "cpu": {kind: round(cost_s / audio_s, 3) for kind, cost_s in cost.items()},
    }


def chunks(clip: Clip, run: Played, setting: Setting) -> Iterator[tuple[float, float]]:
    """Each chunk with words in it: when it came, and how long until there was text that had heard it."""
    step = setting.chunk_samples
    ends = [min(at + step, len(clip.pcm16) // 2) / SAMPLE_RATE for at in range(0, len(clip.pcm16) // 2, step)]
    texts = [
        (arrival.at_s, arrival.event.end)
        for arrival in run.arrivals[0]
        if isinstance(arrival.event, Partial | Final) and arrival.event.text
    ]
    for end_s, late_s in zip(ends, heard_s([(end_s, end_s) for end_s in ends], texts), strict=True):
        if end_s - step / SAMPLE_RATE >= EDGE_S and end_s <= clip.duration_s - EDGE_S:
            yield end_s, late_s


def parts(played: Sequence[Clip], runs: Sequence[Played], setting: Setting, above_s: float) -> Iterator[str]:
    """What a late chunk waited for: the decodes that ran before its text came."""
    for clip, run in zip(played, runs, strict=True):
        for came_s, late_s in chunks(clip, run, setting):
            if late_s > above_s:
                until_s = min(came_s + late_s, came_s + setting.chunk_samples / SAMPLE_RATE)
                ran = [t for t in run.timed if t.answered_s > came_s and t.began_s <= until_s]
                yield f"{clip.name} {came_s:.2f} s: {late_s:.3f}: {'; '.join(map(_told, ran)) or 'nothing'}"


def _told(timed: Timed) -> str:
    request, result = timed.request, timed.result
    return (
        f"{request.kind.name.lower()} of {timed.audio_s:.1f} s ({request.left_s:.1f} before) in "
        f"{result.window_s:.0f} s, beam {request.beam}, {result.steps} steps behind "
        f"{len(request.prefix.split())} words, waited {timed.began_s - timed.asked_s:.2f}, took "
        f"{timed.answered_s - timed.began_s:.2f}{', runaway' if result.runaway else ''}"
    )


def _play(engine: Engine, clip: Clip, options: SessionOptions, slots: int, setting: Setting) -> Played:
    passage = Passage(name=clip.name, language="en", text=clip.text, pcm16=clip.pcm16)
    program = Program(passages=(passage,), pcm16=clip.pcm16)
    return play(engine, [program], replace(options), slots=slots, setting=setting)


if __name__ == "__main__":
    main()
