"""Where a live session may take its audio from: a media file, the microphone, standard input."""

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from client.errors import NotInstalled
from client.options import StreamOptions
from shared.audio.media import decode_chunks
from shared.audio.pcm import SAMPLE_RATE
from shared.errors import BadAudio, BadParameter, Unavailable

CHUNK_S: Final = 0.1
"""Short enough to add little to the delay of a word, long enough that a message is mostly audio."""
_AHEAD_CHUNKS: Final = 50
"""How far a source may be read ahead of the network: 5 s."""


@dataclass(frozen=True, slots=True)
class Source:
    """Audio in the format of the session's options, in chunks of `CHUNK_S`, read with blocking calls.

    `is_live` when it comes at the speed of the real world.
    """

    chunks: Iterator[bytes]
    is_live: bool


Say = Callable[[str], None]
"""Is told what was wrong with audio that goes on all the same."""


async def microphone(*, on_loss: Say = lambda _what: None) -> AsyncGenerator[bytes]:
    """Audio from this machine's microphone, as the default `StreamOptions` want it, until it is closed; needs
    the extra `mic`. `on_loss` is told, on another thread, when audio was lost because nobody took it in time.
    Raises `NotInstalled`, and `Unavailable` for a microphone that can't be used."""
    async for chunk in _followed(Source(_microphone(on_loss), is_live=True), speed=0.0):
        yield chunk


async def media_file(
    path: str | Path, *, speed: float = 1.0, on_loss: Say = lambda _what: None
) -> AsyncGenerator[bytes]:
    """The audio of a media file, as the default `StreamOptions` want it, at `speed` times that of speech; 0:
    as fast as it is taken. `on_loss` is told, on another thread, what of it is damaged. Raises `BadParameter`
    when there is no such file and `BadAudio` for one without audio."""
    source = await asyncio.to_thread(open_source, str(Path(path)), StreamOptions(), on_loss)
    async for chunk in _followed(source, speed=speed):
        yield chunk


async def _followed(source: Source, *, speed: float) -> AsyncGenerator[bytes]:
    feed = Feed(source)
    try:
        async for chunk in paced(feed, bytes_per_s=StreamOptions().bytes_per_s, speed=speed):
            yield chunk
    finally:
        feed.close()


async def paced(feed: "Feed", *, bytes_per_s: float, speed: float) -> AsyncGenerator[bytes]:
    """Each chunk when its last sample has been spoken, at `speed` times real time, as a microphone would give
    it; 0: at once."""
    clock = asyncio.get_running_loop().time
    began, sent_s = clock(), 0.0
    async for chunk in feed:
        if speed:
            sent_s += len(chunk) / bytes_per_s
            await asyncio.sleep(began + sent_s / speed - clock())
        yield chunk


def open_source(name: str, options: StreamOptions, on_loss: Say = lambda _what: None) -> Source:
    """The source called `name`: `mic`, `-` or a path. Raises `BadParameter`, `BadAudio` or `NotInstalled`
    for one that has no audio to give."""
    if name == "mic":
        return Source(_microphone(on_loss), is_live=True)
    if name == "-":
        if sys.stdin.isatty():
            raise BadParameter("standard input is a terminal; pipe raw audio into it, or name a file")
        return Source(_read_raw(sys.stdin.fileno(), round(CHUNK_S * options.bytes_per_s)), is_live=False)
    path = Path(name)
    if not path.is_file():
        if path.is_dir():
            raise BadParameter(f"{name} is a directory; name a file in it")
        raise BadParameter(f"{name}: no such file")
    chunks = decode_chunks(path, chunk_samples=round(CHUNK_S * SAMPLE_RATE), on_damage=on_loss)
    try:
        first = next(chunks)
    except BadAudio as error:
        raise BadAudio(f"{name}: {error.message}") from error
    return Source(chain([first], chunks), is_live=False)


class Feed:
    """A source, read by a thread, as an async iterator that can be brought to its end early."""

    def __init__(self, source: Source) -> None:
        self._chunks = source.chunks
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(_AHEAD_CHUNKS)
        self._read: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._is_over = False
        self._error: Exception | None = None
        # A daemon: a read of standard input can't be interrupted, and must not keep the process.
        threading.Thread(target=self._run, name="steno-source", daemon=True).start()

    def close(self) -> None:
        """End the iteration now; what was read and not taken is dropped."""
        self._is_over = True
        self._read.clear()
        self._room.release()  # the thread looks up and leaves
        self._news.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next chunk. Raises what reading the source raised. Cancelling loses nothing."""
        while not self._read:
            if self._is_over:
                raise self._error or StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._room.release()
        return self._read.popleft()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            for chunk in self._chunks:
                self._room.acquire()
                if self._is_over or not self._tell(chunk, None):
                    return
        except Exception as caught:  # noqa: BLE001 - raised again on the event loop, by __anext__
            error = caught
        self._tell(None, error)

    def _tell(self, chunk: bytes | None, error: Exception | None) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._take, chunk, error)
        except RuntimeError:  # the loop is closed: no one listens any more
            return False
        return True

    def _take(self, chunk: bytes | None, error: Exception | None) -> None:
        if not self._is_over:
            if chunk is not None:
                self._read.append(chunk)
            else:
                self._is_over, self._error = True, error
        self._news.set()


def _read_raw(descriptor: int, chunk_bytes: int) -> Iterator[bytes]:
    # Not through sys.stdin: a thread that waits inside its buffer aborts the interpreter's exit.
    while data := os.read(descriptor, chunk_bytes):
        yield data


def _microphone(on_loss: Say) -> Iterator[bytes]:
    try:
        import sounddevice
    except ImportError:
        raise NotInstalled("the microphone needs the `mic` extra: pip install 'steno[mic]'") from None
    except OSError:
        raise NotInstalled(
            "the microphone needs the PortAudio library; install it (Debian: apt install libportaudio2)"
        ) from None
    return _record(sounddevice, on_loss)


def _record(sounddevice: Any, on_loss: Say) -> Iterator[bytes]:
    frames = round(CHUNK_S * SAMPLE_RATE)
    try:
        with sounddevice.RawInputStream(samplerate=SAMPLE_RATE, channels=1, dtype="int16") as stream:
            while True:
                data, was_late = stream.read(frames)
                if was_late:
                    on_loss("audio was lost: the server or the network is too slow")
                yield bytes(data)
    except sounddevice.PortAudioError as error:
        raise Unavailable(f"the microphone can't be used: {error}") from None
