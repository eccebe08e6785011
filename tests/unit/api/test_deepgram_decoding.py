"""A live client's audio on its way through the decoder's thread."""

import asyncio
import json
import threading
from pathlib import Path

import pytest
from anyio import CapacityLimiter

from api.conversation import Gone
from api.deepgram.decoding import decoding
from api.deepgram.hearing import Coded, Decoded, Heard, Undecodable
from api.deepgram.pipe import Pipe
from api.deepgram.query import parse
from tests.support.media import tone, write_media

pytestmark = pytest.mark.anyio

END = json.dumps({"type": "CloseStream"})
KEEP = json.dumps({"type": "KeepAlive"})


class Line:
    """A client that says what is in its list, then nothing or is gone."""

    def __init__(self, *messages: str | bytes, hangs_up: bool = False) -> None:
        self.left = list(messages)
        self.read = 0
        self._hangs_up = hangs_up

    async def receive(self) -> str | bytes:
        await asyncio.sleep(0)
        if self.left:
            self.read += 1
            return self.left.pop(0)
        if self._hangs_up:
            raise Gone
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, frame: str) -> None:
        raise AssertionError(frame)

    async def close(self, code: int, reason: str) -> None:
        raise AssertionError(code, reason)


def pieces(data: bytes, step: int = 2000) -> list[bytes]:
    return [data[i : i + step] for i in range(0, len(data), step)]


def webm(folder: Path, seconds: float) -> bytes:
    return write_media(folder / "a.webm", tone(seconds, rate=48_000), rate=48_000).read_bytes()


async def heard(line: Line, *, until: str | type[Heard] = END, **query: str) -> list[Heard]:
    found: list[Heard] = []
    async with (
        decoding(line, parse(query.items(), live=True), CapacityLimiter(1)) as wire,
        asyncio.timeout(30),
    ):
        while not found or not (found[-1] == until or type(found[-1]) is until):
            found.append(await wire.receive())
    return found


def audio_s(found: list[Heard]) -> float:
    return sum(len(item.channels[0]) for item in found if isinstance(item, Decoded)) / 32_000


async def test_the_end_is_said_behind_all_audio(tmp_path: Path) -> None:
    data = webm(tmp_path, 3.0)
    found = await heard(Line(*pieces(data), KEEP, END))
    assert audio_s(found) == pytest.approx(3.0, abs=0.1)
    assert b"".join(item.data for item in found if isinstance(item, Coded)) == data
    assert KEEP in found
    assert found[-1] == END


async def test_what_comes_behind_is_heard_too(tmp_path: Path) -> None:
    line = Line(*pieces(webm(tmp_path, 1.0)), END, b"more", KEEP)
    assert (await heard(line, until=KEEP))[-2:] == [Coded(b"more"), KEEP]


async def test_a_client_that_is_gone_is_told_behind_what_it_said(tmp_path: Path) -> None:
    line = Line(*pieces(webm(tmp_path, 1.0)), hangs_up=True)
    with pytest.raises(Gone):
        await heard(line)


async def test_no_audio_is_said_to_be_none() -> None:
    found = await heard(Line(b"this is a text " * 9000), until=Undecodable)
    assert isinstance(found[-1], Undecodable)


async def test_the_thread_ends_with_the_connection(tmp_path: Path) -> None:
    before = threading.active_count()
    line = Line(*pieces(webm(tmp_path, 1.0)))
    async with decoding(line, parse([], live=True), CapacityLimiter(1)) as wire, asyncio.timeout(30):
        while not isinstance(await wire.receive(), Decoded):
            pass
    assert threading.active_count() <= before + 1  # anyio keeps an idle one


async def test_a_client_is_not_read_while_nobody_hears_it(tmp_path: Path) -> None:
    count = 5000
    line = Line(*([bytes(2000)] * count))
    async with decoding(line, parse([], live=True), CapacityLimiter(1)) as wire:
        for _ in range(2000):
            await asyncio.sleep(0)
        assert line.read < 500
        assert isinstance(await wire.receive(), Coded)


async def test_a_pipe_waits_for_its_reader() -> None:
    pipe = Pipe()
    pushing = asyncio.create_task(pipe.push(bytes(300_000)))
    await asyncio.sleep(0)
    assert not pushing.done()
    assert len(await asyncio.to_thread(pipe.read, 200_000)) == 200_000
    await pushing
    pipe.end()
    assert len(pipe.read(200_000)) == 100_000
    assert pipe.read(10) == pipe.peek() == b""
    await pipe.push(b"late")
    assert pipe.is_empty


async def test_a_closed_pipe_lets_everybody_go() -> None:
    pipe = Pipe()
    reading = asyncio.create_task(asyncio.to_thread(pipe.read, 10))
    pushing = asyncio.create_task(pipe.push(b""))
    await pushing
    pipe.close()
    assert await reading == b""
    await pipe.push(bytes(10**6))
    assert pipe.is_closed


async def test_packets_without_a_container_keep_their_bounds() -> None:
    pipe = Pipe()
    for packet in (b"one", b"two", b"three"):
        await pipe.push(packet)
    pipe.end()
    assert pipe.peek() == b"one"
    assert list(pipe.messages()) == [b"one", b"two", b"three"]
