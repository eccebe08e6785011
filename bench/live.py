"""Live sessions at 1x against the service: `python -m bench.live --sessions N [--data DIR] [--json FILE]`.

`--surface` plays over another surface than the native one; with several, the sessions take them in turn, and
each program is played over all of them at the same time, so that they can be compared with the first one.
`native,native,realtime,deepgram,wyoming` shows beside it how much two sessions of one surface differ.

Starts `steno up` with nothing kept (or uses `--url`), plays N sessions at once, and prints word errors beside
those of plain faster-whisper on the same audio, how long words take to the screen, and what the server's
processes cost.
"""

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench import environment
from bench.baseline import Baseline, keep, kept, measure
from bench.dataset import BUNDLED, Passage, Program, load, programs
from bench.latency import transcript
from bench.replay import Recording, replay
from bench.report import Report, arrivals, report, table
from bench.scoring import Spread, total, word_errors
from bench.server import free_port, running
from bench.surface_wyoming import Wyoming
from bench.surfaces import SURFACES, Surface
from bench.usage import Usage, Watch

STAGGER_S = 0.37
RAMP_S_MAX = 10.0
"""Sessions start one after another so that their pauses don't coincide, but all within this time."""

Played = list[tuple[Program, Recording]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and say by the exit status whether the run was clean."""
    options = options_of(arguments)
    figures = run(options)
    return 1 if figures.failures or figures.invalid else 0


def run(options: argparse.Namespace) -> Report:
    """Play and print; `options` are those of `options_of`."""
    described = environment.describe()
    passages = load(options.data, language=options.language)
    plan = plan_of(passages, options.sessions, len(options.surface), seconds=options.minutes * 60)
    used = [p for p in passages if any(p in program.passages for program in plan)]
    baseline = _baseline(used, options)
    length_s = max(program.duration_s for program in plan)
    _say(f"playing {len(plan)} sessions for {length_s:.0f} s")
    played, usage = _play(plan, options)
    figures = report(played, baseline, usage)
    print(table(figures))
    print(by_surface(options.surface, played, baseline))
    if options.json:
        choices = {name: str(value) for name, value in vars(options).items()}
        keep_run(options.json, {"environment": described, "options": choices}, figures, baseline, played)
    return figures


def plan_of(passages: Sequence[Passage], sessions: int, surfaces: int, *, seconds: float) -> list[Program]:
    """What the sessions play: as many in succession as there are surfaces play the same."""
    own = programs(passages, count=math.ceil(sessions / surfaces), seconds=seconds)
    return [own[number // surfaces] for number in range(sessions)]


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line. Ends the process when it is wrong."""
    parser = argparse.ArgumentParser(description="Play live sessions at 1x and measure.")
    parser.add_argument("--sessions", type=int, default=1, metavar="N")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="default: tests/data")
    parser.add_argument("--language", default="en", help="which of the data's streams to play")
    parser.add_argument("--auto", action="store_true", help="let the server detect the language")
    parser.add_argument(
        "--surface",
        type=_surfaces,
        default=["native"],
        metavar="NAME[,NAME]",
        help=f"which surface to play over: {', '.join(SURFACES)}",
    )
    parser.add_argument(
        "--wyoming-port", type=int, default=0, metavar="PORT", help="of the service that --url names"
    )
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="least length of a session, if there is as much"
    )
    parser.add_argument("--model", default="base")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="keep the baseline here, or take it from here"
    )
    parser.add_argument("--url", help="a running service's ws:// address, instead of starting one")
    parser.add_argument("--pid", type=int, help="process of that service, to measure it and its children")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="STENO_* setting")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep what the service prints")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything")
    options = parser.parse_args(arguments)
    if options.sessions < 1:
        parser.error("--sessions must be at least 1")
    return options


def _surfaces(names: str) -> list[str]:
    found = names.split(",")
    if unknown := [name for name in found if name not in SURFACES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(SURFACES)}")
    return found


def by_surface(names: Sequence[str], played: Played, baseline: Baseline) -> str:
    """What can be compared between surfaces, when there are several: how long after the end of speech its end
    and its text are told, word errors, and in how many words the texts differ from the first surface's of the
    same programs."""
    if len(names) < 2:
        return ""
    behind = f"{'seconds behind speech':24}{'end p50':>10}{'p95':>8}{'final p50':>12}{'p95':>8}"
    rows = ["", f"{behind}{'WER':>9}{'errors':>16}{'differs':>10}"]
    for place, name in enumerate(names):
        own = played[place :: len(names)]
        end, final = (Spread.of(list(_behind_speech(own, kind))) for kind in ("speech_end", "final"))
        errors = report(own, baseline, None).errors
        wrong = errors.substitutions + errors.deletions + errors.insertions
        rows.append(
            f"{name:24}{end.p50:10.4f}{end.p95:8.4f}{final.p50:12.4f}{final.p95:8.4f}"
            f"{errors.rate * 100:8.2f}%{wrong:6d} of {errors.words:6d}"
            f"{_difference(own, played[:: len(names)]) * 100:9.2f}%"
        )
    return "\n".join(rows)


def _difference(own: Played, first: Played) -> float:
    """Words in which texts differ from others of the same programs, as a share."""
    both = zip(own, first, strict=False)
    return total(
        word_errors(transcript(arrivals(b)), transcript(arrivals(a)), program.passages[0].language)
        for (program, a), (_, b) in both
    ).rate


def _behind_speech(played: Played, kind: str) -> Iterator[float]:
    for _, recording in played:
        for at_s, message in recording.messages:
            is_pause = message.get("reason", "silence") == "silence"
            is_said = message["type"] == kind and is_pause and message.get("text") != ""
            if is_said and math.isfinite(message["end"]):
                yield at_s - message["end"]


def _baseline(passages: Sequence[Passage], options: argparse.Namespace) -> Baseline:
    choice = {"model": options.model, "compute_type": options.compute_type}
    found = kept(options.baseline, passages, **choice) if options.baseline else None
    if found is None:
        _say(f"measuring the baseline on {sum(p.duration_s for p in passages):.0f} s")
        found = measure(passages, **choice, threads=psutil.cpu_count() or 1)
        if options.baseline:
            keep(found, options.baseline)
    return found


def _play(plan: Sequence[Program], options: argparse.Namespace) -> tuple[Played, Usage | None]:
    language = "auto" if options.auto else options.language
    with ExitStack() as stack:
        url, wyoming_port, pid = stack.enter_context(_service(options))
        watch = stack.enter_context(Watch(pid)) if pid else None
        query = {"sample_rate": "16000", "language": language}
        surfaces = [_maker(name, wyoming_port) for name in options.surface]
        recordings = asyncio.run(_sessions(url, plan, query, surfaces))
    return list(zip(plan, recordings, strict=True)), watch.usage() if watch else None


def _maker(name: str, wyoming_port: int) -> Callable[[], Surface]:
    return partial(Wyoming, wyoming_port) if name == "wyoming" else SURFACES[name]


@contextmanager
def _service(options: argparse.Namespace) -> Generator[tuple[str, int, int | None]]:
    """Address of the native surface, port of Wyoming, process."""
    if options.url:
        yield options.url, options.wyoming_port, options.pid
        return
    settings = dict(pair.split("=", 1) for pair in options.set)
    settings = {"model": options.model, "compute_type": options.compute_type, **settings}
    wyoming_port = free_port() if "wyoming" in options.surface else 0
    if wyoming_port:
        settings["wyoming_port"] = str(wyoming_port)
    with running(settings=settings, log=options.log) as server:
        _say(f"steno up was ready after {server.ready_s:.2f} s")
        yield server.stream_url, wyoming_port, server.pid


async def _sessions(
    url: str, plan: Sequence[Program], query: dict[str, str], surfaces: Sequence[Callable[[], Surface]]
) -> list[Recording]:
    step_s = min(STAGGER_S, RAMP_S_MAX / len(plan))

    async def start(number: int, program: Program) -> Recording:
        await asyncio.sleep(number * step_s)
        surface = surfaces[number % len(surfaces)]()
        return await replay(url, program, query=query, surface=surface)

    return await asyncio.gather(*(start(number, program) for number, program in enumerate(plan)))


def keep_run(
    path: Path, about: dict[str, object], figures: Report, baseline: Baseline, played: Played
) -> None:
    """Write a run to `path` as JSON: what it is `about`, its figures, and all that they were made from."""
    sessions = [
        {"passages": [p.name for p in program.passages], **asdict(recording)} for program, recording in played
    ]
    run = {**about, "figures": asdict(figures), "baseline": asdict(baseline), "sessions": sessions}
    path.write_text(json.dumps(_json(run), ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")


def _json(value: Any) -> Any:
    """`value` with NaN as null: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
