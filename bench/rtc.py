"""What WebRTC adds to the WebSocket: `python -m bench.rtc [--pairs N] [--seconds S] [--apart] [--json FILE]`.

Each pair of sessions hears the same speech at the same time, 20 ms after 20 ms as it is spoken, one over
each; what the service says of it is paired, and the difference of its arrival is what lies between them:
encoding, the network, waiting for order, decoding, resampling, the data channel. Ends of speech are said by a
detector in the worker, so that decodes, which take turns, are not in them. Finals are: they count towards the
aim where sessions don't wait for each other's decodes, because those of a pair come one after the other
(`--apart`, one pair) or decodes take no time (`--engine scripted`).
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import connect

from bench import environment
from bench.dataset import BUNDLED, Program, load, programs
from bench.rtc_peer import WAIT_S_MAX, RtcSession, rtc_session, use_loopback
from bench.scoring import Spread
from bench.server import free_port, running
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE

ADDED_S_MAX: Final = 0.08
"""The aim, for the median."""
KINDS: Final = ("speech_start", "speech_end", "final")
_CHUNK_S: Final = 0.02
_APART_S: Final = 0.5
"""Places of the audio that are farther from each other are not of the same event."""
_STAGGER_S: Final = 0.41
Timed = tuple[float, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What one kind of event took, in seconds behind the audio that it is about."""

    kind: str
    socket: Spread
    rtc: Spread
    added: Spread
    """Of paired events, by how much later WebRTC brought it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and say by the exit status whether the aim was met."""
    parser = argparse.ArgumentParser(description="Measure what WebRTC adds to the WebSocket.")
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="least length of a session")
    parser.add_argument("--data", type=Path, default=BUNDLED, metavar="DIR")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--engine", choices=("faster", "scripted"), default="faster")
    parser.add_argument("--apart", action="store_true", help="the sessions of a pair one after the other")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    described = environment.describe()
    plan = programs(load(options.data), count=options.pairs, seconds=options.seconds)
    use_loopback()
    settings = {"engine": options.engine, "model": options.model, "rtc_port": str(free_port())}
    with running(settings=settings) as server:
        heard = asyncio.run(_pairs(server.address, plan, apart=options.apart))
    figures = [added(kind, heard) for kind in KINDS]
    print(table(figures))
    if options.json:
        kept = {"environment": described, "figures": [asdict(figure) for figure in figures]}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    is_free = options.engine == "scripted" or (options.apart and options.pairs == 1)
    aimed = figures[1:] if is_free else figures[1:2]
    return 0 if all(figure.added.p50 <= ADDED_S_MAX for figure in aimed) else 1


def added(kind: str, heard: Sequence[tuple[Sequence[Timed], Sequence[Timed]]]) -> Added:
    """Figures of one kind from pairs of sessions: what each said, with seconds since its first sample."""
    place = "start" if kind == "speech_start" else "end"
    socket: list[float] = []
    rtc: list[float] = []
    later: list[float] = []
    for over_socket, over_rtc in heard:
        mine = [(at_s, said[place]) for at_s, said in over_socket if said["type"] == kind]
        theirs = [(at_s, said[place]) for at_s, said in over_rtc if said["type"] == kind]
        socket += [at_s - end for at_s, end in mine]
        rtc += [at_s - end for at_s, end in theirs]
        for at_s, end in mine:
            near = min(theirs, key=lambda other: abs(other[1] - end), default=None)
            if near is not None and abs(near[1] - end) <= _APART_S:
                later.append(near[0] - at_s)
    return Added(kind=kind, socket=Spread.of(socket), rtc=Spread.of(rtc), added=Spread.of(later))


def table(figures: Sequence[Added]) -> str:
    """Milliseconds, for a person."""
    head = f"{'ms behind the audio':22}{'pairs':>7}{'WebSocket p50':>15}"
    rows = [f"{head}{'WebRTC p50':>12}{'added p50':>11}{'p95':>7}"]
    for figure in figures:
        socket, rtc, added = (spread.p50 * 1000 for spread in (figure.socket, figure.rtc, figure.added))
        rows.append(
            f"{figure.kind:22}{figure.added.count:7}{socket:15.0f}{rtc:12.0f}{added:11.0f}"
            f"{figure.added.p95 * 1000:7.0f}"
        )
    return "\n".join(rows)


async def _pairs(
    address: str, plan: Sequence[Program], *, apart: bool
) -> list[tuple[list[Timed], list[Timed]]]:
    return await asyncio.gather(*(_pair(address, p, n * _STAGGER_S, apart=apart) for n, p in enumerate(plan)))


async def _pair(
    address: str, program: Program, after_s: float, *, apart: bool
) -> tuple[list[Timed], list[Timed]]:
    await asyncio.sleep(after_s)
    if apart:
        alone = asyncio.Barrier(1)
        return await _over_socket(address, program, alone), await _over_rtc(address, program, alone)
    both = asyncio.Barrier(2)
    return await asyncio.gather(_over_socket(address, program, both), _over_rtc(address, program, both))


async def _over_socket(address: str, program: Program, ready: asyncio.Barrier) -> list[Timed]:
    url = f"ws://{address}/v1/stream?language=en"
    async with asyncio.timeout(program.duration_s + WAIT_S_MAX), connect(url, compression=None) as socket:
        await ready.wait()
        zero_s = _zero_s()
        reading = asyncio.create_task(_read(socket, zero_s))
        await _speak(socket, program.pcm16, zero_s)
        return await reading


async def _over_rtc(address: str, program: Program, ready: asyncio.Barrier) -> list[Timed]:
    url = f"http://{address}/v1/rtc"
    async with (
        asyncio.timeout(program.duration_s + WAIT_S_MAX),
        rtc_session(url, query={"language": "en"}) as rtc,
    ):
        await rtc.until("ready")
        await ready.wait()
        zero_s = _zero_s()
        await _play(rtc, program.pcm16, zero_s)
        await rtc.until("closed")
    return [(at_s - zero_s, said) for at_s, said in zip(rtc.at_s, rtc.messages, strict=True)]


def _zero_s() -> float:
    """When the first sample is spoken."""
    return asyncio.get_running_loop().time() + 0.5


async def _play(rtc: RtcSession, pcm16: bytes, zero_s: float) -> None:
    rtc.microphone.put(pcm16, at_s=zero_s)
    await rtc.microphone.spoken()
    rtc.say("end")


async def _speak(socket: Any, pcm16: bytes, zero_s: float) -> None:
    clock = asyncio.get_running_loop().time
    size = round(_CHUNK_S * SAMPLE_RATE) * SAMPLE_BYTES
    for number, place in enumerate(range(0, len(pcm16), size)):
        await asyncio.sleep(max(0.0, zero_s + (number + 1) * _CHUNK_S - clock()))
        await socket.send(pcm16[place : place + size])
    await socket.send('{"type":"end"}')


async def _read(socket: Any, zero_s: float) -> list[Timed]:
    clock = asyncio.get_running_loop().time
    return [(clock() - zero_s, json.loads(text)) async for text in socket]


if __name__ == "__main__":
    sys.exit(main())
