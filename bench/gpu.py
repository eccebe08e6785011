"""What a device does with a model, from one call to many sessions: `python -m bench.gpu [--shape
large-v3-turbo | --model NAME] [--device cuda] [--sessions 1,8,32,64] [--json FILE]`.

Four parts. The grid of encoder and decoder (`bench.experiments.gpu_grid`); from it the table of costs, and
with that the curve of sessions against the latency of words, simulated (`bench.fleet`); the time from the
start of the service to ready, with the device's memory that it took; and, with real weights, sessions at 1x
against that service (`bench.live`), which is the curve that counts. Random weights have the speed of real
ones and say nothing, so that no word of theirs has a latency: their curve is the simulated one, and says so.

Where there is no CUDA device it says so; `--device cpu` does the same on a CPU.
"""

import argparse
import json
import subprocess
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ctranslate2

from bench import environment, live
from bench.cost_table import cost_table
from bench.dataset import BUNDLED
from bench.experiments.gpu_grid import Grid, costs, measure
from bench.fleet import simulate
from bench.fleet_worker import Case
from bench.random_model import SHAPES, write_random_model
from bench.server import running
from bench.sim import summary
from shared.models import resolve

_MEMORY_EVERY_S: Final = 1.0
_SIMULATED_S: Final = 60.0


class DeviceMemory:
    """The most memory of the first NVIDIA device that was in use while watched, all programs together, in
    bytes. None where `nvidia-smi` does not tell."""

    def __init__(self) -> None:
        self.most: int | None = None
        self._over = threading.Event()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Look once a second, and at the end."""
        thread = threading.Thread(target=self._look_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _look_forever(self) -> None:
        while True:
            if (used := device_memory()) is not None:
                self.most = max(used, self.most or 0)
            if self._over.wait(_MEMORY_EVERY_S):
                return


def device_memory() -> int | None:
    """Memory in use on the first NVIDIA device, in bytes."""
    found = _nvidia_smi("memory.used")
    return int(found) << 20 if found.isdigit() else None


def device_name(device: str) -> str:
    """What to call the device in a table."""
    if device == "cpu":
        return str(environment.describe()["cpu"])
    return _nvidia_smi("name") or "a CUDA device without nvidia-smi"


def _nvidia_smi(field: str) -> str:
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.splitlines()[0].strip() if said else ""


def ready(settings: dict[str, str]) -> dict[str, float | int | None]:
    """Seconds from the second start of the service to ready, and the device's memory by then."""
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as kept:
        with running(settings=settings, data_dir=Path(kept)):
            pass
        before = device_memory()
        with running(settings=settings, data_dir=Path(kept)) as server:
            after = device_memory()
    taken = None if before is None or after is None else after - before
    return {"ready_s": round(server.ready_s, 2), "memory_bytes": taken}


def simulated(table: dict[str, Any], sessions: Sequence[int]) -> list[dict[str, Any]]:
    """The curve that the costs give, without network, Redis and mishearing."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(table, file)
        file.flush()
        found = cost_table(file.name)
    cases = (Case(table=found, sessions=n, duration_s=_SIMULATED_S) for n in sessions)
    return [
        {"sessions": case.sessions, "word_s": run["first_s"], "final_s": run["final_s"], "busy": run["busy"]}
        for case in cases
        for run in [summary(case.sessions, simulate(case))]
    ]


def played(
    model: str, settings: dict[str, str], sessions: Sequence[int], *, data: Path, minutes: float
) -> list[dict[str, Any]]:
    """The curve of real sessions, each number on a service of its own."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as scratch:
        kept = Path(scratch, "run.json")
        for n in sessions:
            arguments = ["--sessions", str(n), "--data", str(data), "--minutes", str(minutes)]
            arguments += ["--model", model, "--baseline", str(Path(scratch, "baseline.json"))]
            arguments += ["--json", str(kept), *(f"--set={name}={value}" for name, value in settings.items())]
            memory = DeviceMemory()
            with memory.watched():
                live.main(arguments)
            figures = json.loads(kept.read_text(encoding="utf-8"))["figures"]
            row = {"word_s": figures["word_first"], "final_s": figures["final"], "wer": figures["wer"]}
            troubles = {name: figures[name] for name in ("refused", "failures", "invalid")}
            rows.append({"sessions": n, **row, **troubles, "memory_bytes": memory.most})
    return rows


def report(figures: dict[str, Any]) -> str:
    """The figures as the tables of a page."""
    grid, start = figures["grid"], figures["start"]
    head = f"{figures['model']}, {figures['compute_type']}, on {figures['device_name']}"
    lines = [head, "", "Encoder, ms of a batch by window (columns, s) and rows:", ""]
    windows = list(next(iter(grid["encode_ms"].values())))
    lines += _table(["rows", *windows], [[n, *by.values()] for n, by in grid["encode_ms"].items()])
    lines += ["", "A step of the decoder, ms by rows (columns) and hypotheses:", ""]
    rows = list(next(iter(grid["step_ms"].values())))
    lines += _table(["hypotheses", *rows], [[beam, *by.values()] for beam, by in grid["step_ms"].items()])
    lines += ["", f"Ready after {start['ready_s']} s; memory of the device: {_mib(start['memory_bytes'])}."]
    for what in ("simulated", "played"):
        if curve := figures.get(what):
            lines += ["", f"Sessions at once, {what}:", ""]
            cells = [
                [run["sessions"], _both(run["word_s"]), _both(run["final_s"]), _mib(run.get("memory_bytes"))]
                for run in curve
            ]
            lines += _table(["sessions", "word p50 / p95, s", "final p50 / p95, s", "memory"], cells)
    return "\n".join(lines)


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> list[str]:
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


def _both(spread: dict[str, float | None]) -> str:
    return " / ".join("none" if (s := spread[p]) is None else f"{s:.2f}" for p in ("p50", "p95"))


def _mib(size: int | None) -> str:
    return "not known" if size is None else f"{size >> 20} MiB"


def examine(folder: Path, options: argparse.Namespace, *, grid: Grid) -> dict[str, Any]:
    """All four parts of the model in `folder`."""
    chosen = {"device": options.device, "compute_type": options.compute_type}
    tables = measure(folder, **chosen, grid=grid)
    name = options.model or f"{options.shape}, random weights"
    source = f"python -m bench.gpu: {name}, {options.compute_type} on {device_name(options.device)}"
    table = costs(tables, source=source, window="large" if "large" in name else "small")
    settings = {**chosen, "model": str(folder), "canary_s": "0"}  # random weights don't know its words
    figures: dict[str, Any] = {
        "environment": environment.describe(),
        "device_name": device_name(options.device),
        "model": name,
        **chosen,
        "grid": tables,
        "costs": table,
        "start": ready(settings),
        "simulated": simulated(table, options.sessions),
    }
    if options.model:
        figures["played"] = played(
            str(folder), chosen, options.sessions, data=options.data, minutes=options.minutes
        )
    return figures


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a device does with a model.")
    parser.add_argument("--shape", choices=SHAPES, default="large-v3-turbo", help="of random weights")
    parser.add_argument("--model", default="", metavar="NAME", help="real weights: a name or a directory")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--compute-type", default="float16")
    parser.add_argument("--sessions", type=_numbers, default=[1, 8, 32, 64], metavar="N,N,…")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="what sessions say")
    parser.add_argument("--minutes", type=float, default=2.0, help="least length of a session")
    parser.add_argument("--repeats", type=int, default=7, help="calls behind each figure of the grid")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and ctranslate2.get_cuda_device_count() == 0:
        parser.error("there is no CUDA device here that CTranslate2 can use; --device cpu measures the CPU")
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None, *, grid: Grid | None = None) -> int:
    """Measure and print. Exit status 1 when a session failed."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="steno-gpu-") as scratch:
        if options.model:
            folder = resolve(options.model).path
        else:
            folder = Path(scratch, options.shape)
            write_random_model(folder, SHAPES[options.shape], like=resolve("base").path)
        figures = examine(folder, options, grid=grid or Grid(repeats=options.repeats))
    print(report(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 1 if any(run["failures"] or run["invalid"] for run in figures.get("played", ())) else 0


if __name__ == "__main__":
    raise SystemExit(main())
