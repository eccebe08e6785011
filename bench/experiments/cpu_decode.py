"""What decoding costs on this CPU: `python -m bench.experiments.cpu_decode --data DIR [--model NAME]`.

Four tables: the encoder by window; a step of the decoder by rows and beam; forced text as a prefix a step a
token, and filled in one pass; and how two cores are best used: one decode on two threads, or two at once.
With `CT2_USE_MKL=1` in the environment CTranslate2 takes MKL instead of oneDNN, where it has both.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from bench import environment
from bench.dataset import clips
from bench.timing import median_ms
from shared.audio.pcm import SAMPLE_RATE, Float32, pcm16_to_float
from shared.models import resolve
from worker.engine.prefill import Decoder, decoder_for, marked
from worker.engine.prompt import Prompt

WINDOWS_S: Final = (5, 8, 10, 12, 15, 20, 30)
ROWS: Final = (1, 2, 4, 8)
BEAMS: Final = (1, 3, 5)
STEPS: Final = (8, 24)
"""Lengths of decodes; a step's cost is the difference by the difference of the steps."""
FORCED: Final = 20


class Bench:
    """A model that was loaded as the engine does it, and some speech."""

    def __init__(self, model: str, speech: Float32, *, compute_type: str, threads: int, repeats: int) -> None:
        with marked(resolve(model).path) as folder:
            self._whisper = WhisperModel(
                str(folder), device="cpu", compute_type=compute_type, cpu_threads=threads, num_workers=2
            )
        self._repeats = repeats
        self._speech = speech
        self._tokenizer: Any = _tokenizer(self._whisper)
        self._decoder: Decoder = decoder_for(self._whisper.model, self._tokenizer)

    def encode(self, window_s: float) -> Any:
        """Encoder states of the speech, cut or filled up to the window."""
        frames = round(100 * window_s)
        mel = self._whisper.feature_extractor(self._speech[: round(window_s * SAMPLE_RATE)])[:, :frames]
        filled = np.pad(mel, ((0, 0), (0, frames - mel.shape[1]))).astype(np.float32)
        return self._whisper.model.encode(ctranslate2.StorageView.from_array(filled[None]), to_cpu=False)

    def generate(self, states: Any, *, rows: int, beam: int, steps: int, forced: int = 0) -> None:
        """Decode `steps` tokens: the end is forbidden, so that all do."""
        t = self._tokenizer
        earlier = tuple(t.encode(" and so on and on"))[:4]
        prompt = Prompt(
            hints=(),
            earlier=earlier,
            task=(*t.sot_sequence, t.no_timestamps),
            prefix=tuple(t.encode(" the quick brown fox" * 8))[:forced],
            previous=t.sot_prev,
        )
        self._decoder.generate(
            [states] * rows,
            [prompt] * rows,
            budget=steps,
            beam=beam,
            temperature=0.0,
            no_repeat=0,
            suppress=[t.eot],
        )

    def windows(self) -> dict[float, float]:
        """Milliseconds of the encoder by window."""
        return {s: median_ms(lambda s=s: self.encode(s), self._repeats) for s in WINDOWS_S}

    def steps(self, *, window_s: float = 8.0) -> dict[str, dict[str, float]]:
        """By beam and rows: milliseconds of a step, and of what comes before the first."""
        states = self.encode(window_s)
        table: dict[str, dict[str, float]] = {}
        for beam in BEAMS:
            for rows in ROWS:
                short, long = (
                    median_ms(lambda n=n: self.generate(states, rows=rows, beam=beam, steps=n), self._repeats)  # noqa: B023
                    for n in STEPS
                )
                step = (long - short) / (STEPS[1] - STEPS[0])
                name = f"beam {beam}, {rows} rows"
                table[name] = {"step": round(step, 2), "before": round(short - STEPS[0] * step, 1)}
        return table

    def prefix(self, *, window_s: float = 8.0) -> dict[str, float]:
        """Milliseconds that forced text adds, in one pass and a step a token."""
        states = self.encode(window_s)

        def timed(steps: int, forced: int) -> float:
            return median_ms(
                lambda: self.generate(states, rows=1, beam=1, steps=steps, forced=forced), self._repeats
            )

        free = timed(STEPS[0], 0)
        return {
            "in one pass": round(timed(STEPS[0], FORCED) - free, 1),
            "a step a token": round(timed(STEPS[0] + FORCED, 0) - free, 1),
        }

    def both_cores(self) -> float:
        """Decodes (8 s, 16 tokens) a second when two run at once."""
        count = 4 * self._repeats

        def one(_: int) -> None:
            self.generate(self.encode(8.0), rows=1, beam=1, steps=16)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(one, range(2)))
            begun_s = time.perf_counter()
            list(threads.map(one, range(count)))
            return round(count / (time.perf_counter() - begun_s), 2)

    def one_after_another(self) -> float:
        """The same, one at a time."""
        took_ms = median_ms(lambda: self.generate(self.encode(8.0), rows=1, beam=1, steps=16), self._repeats)
        return round(1000 / took_ms, 2)


def _tokenizer(whisper: WhisperModel) -> Any:
    from faster_whisper.tokenizer import Tokenizer

    return Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language="en")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What encoding and decoding cost on this CPU.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    speech = np.concatenate([pcm16_to_float(c.pcm16) for c in clips(options.data, longest_s=20.0)[:6]])
    chosen = {"compute_type": options.compute_type, "repeats": options.repeats}
    one = Bench(options.model, speech, threads=1, **chosen)
    two = Bench(options.model, speech, threads=2, **chosen)
    results: dict[str, Any] = {
        "environment": environment.describe(),
        "model": options.model,
        "compute_type": options.compute_type,
        "backend": "MKL" if os.environ.get("CT2_USE_MKL") == "1" else "CTranslate2's choice",
        "encode_ms": one.windows(),
        "encode_two_threads_ms": two.windows(),
        "steps_ms": one.steps(),
        "prefix_ms": one.prefix(),
        "decodes_per_s": {
            "two at once, a thread each": one.both_cores(),
            "one at a time, two threads": two.one_after_another(),
        },
    }
    print(json.dumps(results, indent=1))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
