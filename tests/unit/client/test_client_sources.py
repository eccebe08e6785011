"""Where `steno listen` takes audio from, and how it is handed to the event loop."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from client.cli.listen import _parse_speed
from client.cli.media_files import MediaFile, result_paths
from client.errors import NotInstalled
from client.options import StreamOptions
from client.sources import Feed, Source, open_source
from shared.errors import BadAudio, BadParameter, Unavailable
from tests.support.data import clip

pytestmark = pytest.mark.anyio


async def test_a_feed_gives_all_chunks_in_order() -> None:
    chunks = [bytes([number]) for number in range(200)]
    assert [chunk async for chunk in Feed(Source(iter(chunks), is_live=False))] == chunks


async def test_a_feed_reads_only_a_little_ahead() -> None:
    read: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            read.append(1)
            yield b"x"

    feed = Feed(Source(endless(), is_live=False))
    for _ in range(10):
        await anext(feed)
    assert len(read) <= 10 + 51
    feed.close()


async def test_a_feed_ends_when_it_is_closed_whatever_its_source_does() -> None:
    release = threading.Event()

    def stuck() -> Iterator[bytes]:
        yield b"x"
        release.wait(30)
        yield b"too late"

    feed = Feed(Source(stuck(), is_live=True))
    assert await anext(feed) == b"x"
    reading = asyncio.ensure_future(anext(feed, None))
    await asyncio.sleep(0)
    feed.close()
    assert await reading is None
    release.set()
    assert await anext(feed, None) is None


async def test_a_feed_raises_what_its_source_raised_after_what_it_gave() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise BadAudio("cut off")

    feed = Feed(Source(broken(), is_live=False))
    assert await anext(feed) == b"x"
    with pytest.raises(BadAudio, match="cut off"):
        await anext(feed)


def test_a_media_file_becomes_canonical_audio() -> None:
    spoken = clip("en_demo")
    source = open_source(str(spoken.path), StreamOptions())
    assert b"".join(source.chunks) == spoken.pcm16()
    assert not source.is_live


def test_a_file_without_audio_is_refused_before_a_session_is_opened(tmp_path: Path) -> None:
    text = tmp_path / "notes.wav"
    text.write_text("not audio")
    with pytest.raises(BadAudio):
        open_source(str(text), StreamOptions())
    with pytest.raises(BadParameter, match="no such file"):
        open_source(str(tmp_path / "none.wav"), StreamOptions())


def test_standard_input_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    audio = bytes(range(256)) * 20
    os.write(writing, audio)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        source = open_source("-", StreamOptions(sample_rate=8000, encoding="mulaw"))
        chunks = list(source.chunks)
    assert b"".join(chunks) == audio
    assert max(map(len, chunks)) == 800


def test_a_terminal_is_no_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(BadParameter, match="terminal"):
        open_source("-", StreamOptions())


def test_the_microphone_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NotInstalled, match=r"steno\[mic\]"):
        open_source("mic", StreamOptions())


def test_a_microphone_is_read_in_chunks_and_a_gap_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class PortAudioError(Exception):
        pass

    class RawInputStream:
        def __init__(self, **asked: Any) -> None:
            assert asked == {"samplerate": 16000, "channels": 1, "dtype": "int16"}
            self.reads = iter([(b"\1\0" * 1600, False), (b"\2\0" * 1600, True)])

        def __enter__(self) -> "RawInputStream":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, frames: int) -> tuple[bytes, bool]:
            assert frames == 1600
            for read in self.reads:
                return read
            raise PortAudioError("unplugged")

    device = SimpleNamespace(RawInputStream=RawInputStream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    lost: list[str] = []
    source = open_source("mic", StreamOptions(), lost.append)
    assert source.is_live
    assert [next(source.chunks), next(source.chunks)] == [b"\1\0" * 1600, b"\2\0" * 1600]
    assert lost == ["audio was lost: the server or the network is too slow"]
    with pytest.raises(Unavailable, match="unplugged"):
        next(source.chunks)


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("0.5", 0.5), ("0", 0.0), ("max", 0.0)])
def test_a_speed(text: str, speed: float) -> None:
    assert _parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "fast", "-1", "nan", "inf", "1x"])
def test_what_is_no_speed(text: str) -> None:
    with pytest.raises(BadParameter, match="--speed"):
        _parse_speed(text)


def test_a_result_is_named_after_its_file() -> None:
    a, b, c = Path("x/talk.mp3"), Path("x/talk.wav"), Path("note.ogg")
    assert result_paths([MediaFile(a), MediaFile(c)], Path("out"), "srt") == {
        a: Path("out/talk.srt"),
        c: Path("out/note.srt"),
    }
    assert result_paths([MediaFile(a), MediaFile(b)], Path("out"), "srt") == {
        a: Path("out/talk.mp3.srt"),
        b: Path("out/talk.wav.srt"),
    }
    assert result_paths([MediaFile(a), MediaFile(a)], Path("out"), "srt") == {a: Path("out/talk.srt")}


def test_no_result_is_written_over_another() -> None:
    with pytest.raises(BadParameter, match=r"talk\.mp3"):
        result_paths([MediaFile(Path("x/talk.mp3")), MediaFile(Path("y/talk.mp3"))], Path("out"), "txt")
