"""What a surface adds to an event: `python -m bench.added [--data DIR] [--json FILE]`.

Plays four sessions over each of native, native, realtime, deepgram and wyoming, all at the same time, with
the scripted engine. A worker's announcement of a final is heard here as the edge hears it, and the same final
as the client hears it: what lies between is the edge's relay, the surface's translation and the socket. Both
are read by one clock in one process, and the surfaces run side by side through one edge, so that whatever
disturbs the machine meets all of them alike. The second `native` says how much of a difference is chance, the
interval (95 %, bootstrap) how far it may be off.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import environment
from bench.dataset import BUNDLED, Program, load, programs
from bench.replay import Recording, replay
from bench.report import OTHERS_CORES_MAX
from bench.scoring import Spread
from bench.server import free_port, running
from bench.surface_wyoming import Wyoming
from bench.surfaces import SURFACES
from bench.usage import Watch
from shared.codec import event_from_map, unpack_event
from shared.events import Event, Partial
from shared.events import Final as FinalEvent
from shared.redis.connection import connect
from shared.redis.embedded import EmbeddedServer
from shared.tasks import end_tasks
from shared.transcript import Tail

STAGGER_S: Final = 0.37
ADDED_S_MAX: Final = 0.005
"""The aim, for the 95th percentile."""
_RESAMPLES: Final = 4000
_CHANNELS: Final = "steno:{*}:s:*:live"

Timed = tuple[float, Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """One surface's figures, in seconds."""

    surface: str
    took: Spread
    """From a final's announcement to the client."""
    added_p95_s: float
    """95th percentile above that of the first surface."""
    low_s: float
    high_s: float
    """Bounds of that, 95 %."""


@dataclass(slots=True)
class Announcements:
    """What workers announced, by session, in the order in which sessions first said something."""

    sessions: dict[bytes, list[Timed]] = field(default_factory=dict[bytes, list[Timed]])

    def hear(self, at_s: float, channel: bytes, data: bytes) -> None:
        """Take an announcement."""
        head, _, payload = data.partition(b":")
        if head.isdigit():
            self.sessions.setdefault(channel, []).append((at_s, unpack_event(payload)))


def reached(events: Sequence[Timed]) -> list[tuple[float, int]]:
    """When the transcript was settled up to which character, whatever said so."""
    tail, found = Tail(), list[tuple[float, int]]()
    for at_s, event in events:
        if isinstance(event, Partial | FinalEvent) and event.text:
            found.append((at_s, tail.offset_of(event.text) + event.committed))
        if isinstance(event, FinalEvent):
            tail = tail.after(event.text)
    return found


def took(announced: Sequence[Timed], client: Sequence[Timed]) -> list[float]:
    """Seconds from each final's announcement to the client's having all of its text. Finals whose text was
    settled before them are left out: a client may have had it earlier."""
    settled, tail, found = reached(announced), Tail(), list[float]()
    told = reached(client)
    for at_s, event in announced:
        if not (isinstance(event, FinalEvent) and event.text):
            continue
        end = tail.offset_of(event.text) + len(event.text)
        tail = tail.after(event.text)
        if next(t for t, length in settled if length >= end) < at_s:
            continue
        heard = [t for t, length in told if length >= end]
        if heard:
            found.append(heard[0] - at_s)
    return found


def compared(samples: Mapping[int, Sequence[float]], names: Sequence[str]) -> list[Added]:
    """Figures of each surface beside the first one's."""
    rng = np.random.default_rng(1)
    first = _percentiles(rng, samples[0])
    base = float(np.percentile(samples[0], 95))
    rows: list[Added] = []
    for place, name in enumerate(names):
        own = samples[place]
        # The first surface is compared with a second draw of itself.
        low, high = np.percentile(_percentiles(rng, own) - first, (2.5, 97.5))
        rows.append(
            Added(
                surface=name,
                took=Spread.of(own),
                added_p95_s=round(float(np.percentile(own, 95)) - base, 5),
                low_s=round(float(low), 5),
                high_s=round(float(high), 5),
            )
        )
    return rows


def _percentiles(rng: np.random.Generator, values: Sequence[float]) -> Any:
    drawn = rng.choice(np.asarray(values), (_RESAMPLES, len(values)))
    return np.percentile(drawn, 95, axis=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; exit status 1 when a session failed."""
    options = _options(arguments)
    described = environment.describe()
    (program,) = programs(load(options.data, language="en"), count=1, seconds=options.minutes * 60)
    names: list[str] = options.surface
    count = options.sessions * len(names)
    print(f"playing {count} sessions for {program.duration_s:.0f} s", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="steno-bench-") as scratch:
        redis, wyoming_port = EmbeddedServer(), free_port()
        redis.start()
        try:
            settings = {"engine": "scripted", "model": "small", "redis_url": redis.url}
            settings["wyoming_port"] = str(wyoming_port)
            with running(settings=settings, log=Path(scratch) / "log") as server, Watch(server.pid) as watch:
                played, heard = asyncio.run(
                    _play(server.stream_url, wyoming_port, redis.url, program, names, options.sessions)
                )
        finally:
            redis.stop()
    samples, failures = _samples(played, heard, len(names))
    others = watch.usage().others_cores
    for failure in failures:
        print(f"FAILED {failure}")
    rows = compared(samples, names) if all(samples.values()) else []
    print(table(rows, others))
    if options.json:
        kept = {"environment": described, "rows": [asdict(row) for row in rows], "others_cores": others}
        options.json.write_text(json.dumps(kept | {"seconds": samples, "failures": failures}, indent=1))
    return 1 if failures or not rows else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what surfaces add to an event.")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR", help="default: tests/data")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of each session")
    parser.add_argument("--sessions", type=int, default=4, metavar="N", help="of each surface")
    parser.add_argument(
        "--surface",
        type=lambda text: text.split(","),
        default=["native", "native", "realtime", "deepgram", "wyoming"],
        metavar="NAME,NAME",
        help="the first is what the others are compared with",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.surface if name not in SURFACES]:
        parser.error(f"{unknown[0]} is none of {', '.join(SURFACES)}")
    return options


async def _play(
    url: str, wyoming_port: int, redis_url: str, program: Program, names: Sequence[str], each: int
) -> tuple[list[Recording], Announcements]:
    query = {"sample_rate": "16000", "language": "en"}

    async def start(number: int) -> Recording:
        await asyncio.sleep(number * STAGGER_S)
        name = names[number % len(names)]
        make = partial(Wyoming, wyoming_port) if name == "wyoming" else SURFACES[name]
        return await replay(url, program, query=query, surface=make())

    async with _listening(redis_url) as heard:
        return await asyncio.gather(*(start(number) for number in range(each * len(names)))), heard


@asynccontextmanager
async def _listening(redis_url: str) -> AsyncGenerator[Announcements]:
    client, heard = connect(redis_url), Announcements()
    subscribed = client.pubsub(ignore_subscribe_messages=True)
    await subscribed.psubscribe(_CHANNELS)

    async def read() -> None:
        while True:
            message: Any = await subscribed.get_message(timeout=1.0)
            if message is not None:
                heard.hear(time.perf_counter(), message["channel"], message["data"])

    task = asyncio.create_task(read())
    try:
        yield heard
    finally:
        await end_tasks([task])
        await subscribed.aclose()
        await client.aclose()


def _samples(
    played: Sequence[Recording], heard: Announcements, surfaces: int
) -> tuple[dict[int, list[float]], list[str]]:
    """Seconds by surface. All sessions play the same from one moment on after another, so that they first say
    something in the order in which they were opened; that their texts are the same is checked."""
    samples: dict[int, list[float]] = {place: [] for place in range(surfaces)}
    failures = [f"session {n}: {one.failure}" for n, one in enumerate(played) if one.failure]
    if not failures and len(heard.sessions) != len(played):
        failures.append(f"{len(heard.sessions)} sessions were announced, {len(played)} were played")
    if failures:
        return samples, failures
    for number, (recording, announced) in enumerate(zip(played, heard.sessions.values(), strict=True)):
        client = [(recording.zero_s + at_s, event_from_map(message)) for at_s, message in recording.messages]
        if _text(client) != _text(announced):
            failures.append(f"session {number}: its text is not that of its announcements")
        samples[number % surfaces] += took(announced, client)
    return samples, failures


def _text(events: Sequence[Timed]) -> str:
    return " ".join(e.text for _, e in events if isinstance(e, FinalEvent) and e.text)


def table(rows: Sequence[Added], others_cores: float) -> str:
    """The figures for a person."""
    head = (
        f"{'ms from announcement':24}{'finals':>8}{'p50':>8}{'p95':>8}{'p95 added':>12}{'95 % of that':>18}"
    )
    lines = [head]
    for row in rows:
        p50, p95, added, low, high = (
            1000 * v for v in (row.took.p50, row.took.p95, row.added_p95_s, row.low_s, row.high_s)
        )
        lines.append(
            f"{row.surface:24}{row.took.count:8d}{p50:8.2f}{p95:8.2f}{added:12.2f}{low:10.2f} to {high:5.2f}"
        )
    worst = max((row.high_s for row in rows), default=float("nan"))
    lines.append(f"largest that may be added: {1000 * worst:.2f} ms; aim: {1000 * ADDED_S_MAX:.0f} ms")
    lines.append(f"cores busy with other work: {others_cores:.2f}")
    if others_cores > OTHERS_CORES_MAX:
        lines.append("other work disturbed this: differences hold within their bounds, the rest does not")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
