"""How long `steno up` takes until /readyz says 200: `python -m bench.startup [--runs N]`.

The first start is a warm-up: it may download the model and fills the disk cache. The others use its data
folder, so they are what a person sees who starts the service again.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from bench import environment
from bench.server import running


def main() -> None:
    """Start the service N + 1 times and print the times of all but the first."""
    parser = argparse.ArgumentParser(description="Time from `steno up` to ready, second start and later.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="base")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures and the environment")
    options = parser.parse_args()
    described = environment.describe()
    times_s = measure(options.runs, settings={"model": options.model})
    print("second and later starts:", ", ".join(f"{t:.2f}" for t in times_s), "s")
    print(f"median {statistics.median(times_s):.2f} s")
    if options.json:
        figures = {"environment": described, "model": options.model, "ready_s": times_s}
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def measure(runs: int, *, settings: dict[str, str]) -> list[float]:
    """Seconds from start to ready of `runs` starts after a first one. Raises `ServerFailed`."""
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as scratch:
        times_s: list[float] = []
        for _ in range(runs + 1):
            with running(settings=settings, data_dir=Path(scratch)) as server:
                times_s.append(round(server.ready_s, 3))
        return times_s[1:]


if __name__ == "__main__":
    main()
