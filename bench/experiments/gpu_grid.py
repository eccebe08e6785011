"""What encoding and decoding cost on a GPU: `python -m bench.experiments.gpu_grid [--shape large-v3-turbo]`.

Speed does not depend on the weights, so they are random (`bench.random_model`) unless `--model` names real
ones. Five tables: the encoder by rows and window; a step of the decoder by rows and beam, with and without
timestamp rules; alignment by rows; compute types; and how many streams at once are worth it. `--costs FILE`
writes the cost table that `bench.sim` takes:

    python -m bench.experiments.gpu_grid --costs bench/costs/gpu-NAME-turbo.json
    python -m bench.sim --costs gpu-NAME-turbo

Prints one JSON object. Where there is no CUDA device it says so; `--device cpu` runs the same on a CPU.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np

from bench import environment
from bench.random_model import SHAPES, write_random_model
from bench.timing import median_ms
from shared.models import resolve

STEPS: Final = (8, 40)
"""Lengths of decodes; a step's cost is the difference by the difference of the steps."""
TOKENS_PER_S: Final = 4
"""Of speech, for the alignment of a window's text."""
_EOT: Final = "<|endoftext|>"
_TASK: Final = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>")
_NO_TIMESTAMPS: Final = "<|notimestamps|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is measured."""

    windows_s: Sequence[float] = (5, 8, 10, 15, 20, 30)
    rows: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    beams: Sequence[int] = (1, 5)
    streams: Sequence[int] = (1, 2, 3)
    repeats: int = 7
    window_s: float = 10.0
    """Window of the tables that are not by window."""


class Card:
    """A model on a device."""

    def __init__(self, folder: Path, *, device: str, compute_type: str, streams: int, grid: Grid) -> None:
        self._model = ctranslate2.models.Whisper(
            str(folder), device=device, compute_type=compute_type, inter_threads=streams
        )
        names = _names(folder)
        self._task = [names.index(name) for name in _TASK]
        self._plain = [*self._task, names.index(_NO_TIMESTAMPS)]
        self._eot = names.index(_EOT)
        self._streams = streams
        self._grid = grid
        self._rng = np.random.default_rng(0)

    def encode(self, rows: int, window_s: float) -> Any:
        """Encoder states of noise. Copied back, so that the call ends when the work does."""
        return self._model.encode(self._features(rows, window_s), to_cpu=True)

    def generate(self, states: Any, rows: int, *, beam: int, steps: int, timestamps: bool = False) -> None:
        """Decode `steps` tokens: the end is forbidden, so that all rows do."""
        prompt = self._task if timestamps else self._plain
        self._model.generate(
            states,
            [prompt] * rows,
            beam_size=beam,
            max_length=len(prompt) + steps,
            suppress_tokens=[self._eot],
            suppress_blank=False,
        )

    def encode_ms(self) -> dict[str, dict[str, float]]:
        """By rows, by window: milliseconds of a batch in the encoder."""
        grid = self._grid
        return {
            str(rows): {
                f"{s:g}": median_ms(lambda rows=rows, s=s: self.encode(rows, s), grid.repeats)
                for s in grid.windows_s
            }
            for rows in grid.rows
        }

    def step_ms(self, *, timestamps: bool = False) -> dict[str, dict[str, float]]:
        """By beam, by rows: milliseconds of a step of the decoder."""
        return {
            str(beam): {
                str(rows): self.one_step_ms(beam, rows, timestamps=timestamps) for rows in self._grid.rows
            }
            for beam in self._grid.beams
        }

    def align_ms(self) -> dict[str, float]:
        """By rows: milliseconds to align the text of full windows."""
        window_s = self._grid.window_s
        text = list(range(1000, 1000 + round(window_s * TOKENS_PER_S)))
        found: dict[str, float] = {}
        for rows in self._grid.rows:
            states = self._states(rows, window_s)

            def align(rows: int = rows, states: Any = states) -> None:
                self._model.align(states, self._task, [text] * rows, [round(50 * window_s)] * rows)

            found[str(rows)] = median_ms(align, self._grid.repeats)
        return found

    def windows_per_s(self, rows: int) -> float:
        """Windows a second, encoded and decoded greedily, with every stream kept busy."""
        grid = self._grid
        batches = max(2, 4 * self._streams)

        def one(_: int) -> None:
            states = self._model.encode(self._features(rows, grid.window_s), to_cpu=False)
            self.generate(states, rows, beam=1, steps=round(grid.window_s * TOKENS_PER_S))

        with ThreadPoolExecutor(self._streams) as threads:
            list(threads.map(one, range(self._streams)))
            begun_s = time.perf_counter()
            list(threads.map(one, range(batches)))
            return round(rows * batches / (time.perf_counter() - begun_s), 1)

    def one_step_ms(self, beam: int, rows: int, *, timestamps: bool = False) -> float:
        """Milliseconds of a step of the decoder."""
        states = self._states(rows, self._grid.window_s)
        short_ms, long_ms = (
            median_ms(
                lambda n=n: self.generate(states, rows, beam=beam, steps=n, timestamps=timestamps),
                self._grid.repeats,
            )
            for n in STEPS
        )
        return round((long_ms - short_ms) / (STEPS[1] - STEPS[0]), 3)

    def _states(self, rows: int, window_s: float) -> Any:
        return self._model.encode(self._features(rows, window_s), to_cpu=False)

    def _features(self, rows: int, window_s: float) -> Any:
        size = (rows, self._model.n_mels, round(100 * window_s))
        return ctranslate2.StorageView.from_array(self._rng.standard_normal(size, np.float32))


def measure(folder: Path, *, device: str, compute_type: str, grid: Grid) -> dict[str, Any]:
    """All tables of one model on one device."""
    card = Card(folder, device=device, compute_type=compute_type, streams=1, grid=grid)
    tables: dict[str, Any] = {
        "encode_ms": card.encode_ms(),
        "step_ms": card.step_ms(),
        "step_with_timestamps_ms": card.step_ms(timestamps=True),
        "align_ms": card.align_ms(),
    }
    most = max(grid.rows)
    del card
    tables["windows_per_s_by_streams"] = {
        str(n): Card(folder, device=device, compute_type=compute_type, streams=n, grid=grid).windows_per_s(
            most
        )
        for n in grid.streams
    }
    return tables


def compute_types_ms(folder: Path, device: str, grid: Grid) -> dict[str, dict[str, float]]:
    """By compute type: a batch of a middling size in the encoder, and a step of the decoder."""
    rows = sorted(grid.rows)[len(grid.rows) // 2]
    found: dict[str, dict[str, float]] = {}
    for compute_type in sorted(ctranslate2.get_supported_compute_types(device)):
        card = Card(folder, device=device, compute_type=compute_type, streams=1, grid=grid)
        encode = median_ms(lambda card=card: card.encode(rows, grid.window_s), grid.repeats)
        found[compute_type] = {"rows": rows, "encode": encode, "step": card.one_step_ms(1, rows)}
    return found


def costs(tables: dict[str, Any], *, source: str, window: str) -> dict[str, Any]:
    """The cost table of `bench.cost_table`. The encoder's time for one window is that of the largest batch,
    shared out: rows of a busy device come in batches."""
    encode = tables["encode_ms"]
    most = max(encode, key=int)
    steps: dict[str, list[float]] = {}
    for beam, by_rows in tables["step_ms"].items():
        few, many = min(by_rows, key=int), max(by_rows, key=int)
        rise = (by_rows[many] - by_rows[few]) / max(1, int(many) - int(few))
        steps[beam] = [round((by_rows[few] - rise * int(few)) / 1000, 6), round(rise / 1000, 7)]
    return {
        "what": "measured",
        "source": source,
        "slots": 1,
        "batch_max": 16,
        "window": window,
        "encode_s": [
            [0, 0],
            *([float(s), round(ms / int(most) / 1000, 6)] for s, ms in encode[most].items()),
        ],
        "project_s": 0.0,
        "row_s": 0.002,
        "step_s": steps,
        "tokens_per_word": 1.3,
        "partials_lost": 0.02,
        "service_share": 0,
    }


def _names(folder: Path) -> list[str]:
    file = folder / "vocabulary.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    return (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What encoding and decoding cost on a GPU.")
    parser.add_argument("--shape", choices=SHAPES, default="large-v3-turbo")
    parser.add_argument("--model", type=Path, help="a model directory instead of random weights")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--compute-type", default="float16")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--costs", type=Path, help="write the cost table here")
    options = parser.parse_args()
    if options.device == "cuda" and ctranslate2.get_cuda_device_count() == 0:
        parser.error("there is no CUDA device here that CTranslate2 can use; --device cpu measures the CPU")
    grid = Grid(repeats=options.repeats)
    with tempfile.TemporaryDirectory(prefix="steno-grid-") as scratch:
        folder = options.model or Path(scratch) / options.shape
        if not options.model:
            write_random_model(folder, SHAPES[options.shape], like=resolve("base").path)
        tables = measure(folder, device=options.device, compute_type=options.compute_type, grid=grid)
        tables["compute_types_ms"] = compute_types_ms(folder, options.device, grid)
    name = str(options.model or f"{options.shape}, random weights")
    what = {"model": name, "device": options.device, "compute_type": options.compute_type}
    print(json.dumps({"environment": environment.describe()} | what | tables, indent=1))
    if options.costs:
        source = f"python -m bench.experiments.gpu_grid: {name}, {options.compute_type} on {options.device}"
        window = "large" if options.shape.startswith("large") else "small"
        table = costs(tables, source=source, window=window)
        options.costs.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
