"""A live client whose audio must be decoded: its messages, with the audio that they hold.

libav pulls its input, so each such connection has a thread. Both ways are bounded: while the sessions take no
more audio the thread waits, while the thread takes no more bytes the client is not read. The thread ends with
the connection.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from api.conversation import Gone, Wire
from api.deepgram import messages
from api.deepgram.hearing import Coded, Decoded, Heard, Undecodable
from api.deepgram.pipe import Pipe
from api.deepgram.query import OPUS, Asked
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.audio.streamed import decode_packets, decode_stream
from shared.errors import BadAudio
from shared.tasks import end_tasks

_WAITING_MAX: Final = 64
"""Messages, and pieces of audio, that wait for the sessions."""
_PIECE_BYTES: Final = SAMPLE_RATE * SAMPLE_BYTES // 2
"""Audio that goes to a session at once, where so much is there."""
STREAMS_MAX: Final = 256
"""Connections of one process that are decoded at once; more wait for the end of one."""
_MAGIC: Final = {"amr-nb": b"#!AMR\n", "amr-wb": b"#!AMR-WB\n"}
"""What a file of these begins with; a stream may lack it."""
_CONTAINERS: Final = (b"OggS", b"\x1aE\xdf\xa3")
"""How Opus begins when it is not bare packets."""


class DecodingWire:
    """The connection as its dialect hears it."""

    def __init__(self, wire: Wire[str | bytes, str], decoder: "_Decoder") -> None:
        self._wire = wire
        self._decoder = decoder

    async def receive(self) -> Heard:
        """The next message, or what was decoded. Raises `Gone`."""
        return await self._decoder.next()

    async def send(self, frame: str) -> None:
        """Write a frame. Raises `Gone`."""
        await self._wire.send(frame)

    async def close(self, code: int, reason: str) -> None:
        """Close the connection. Raises `Gone`."""
        await self._wire.close(code, reason)


@asynccontextmanager
async def decoding(
    wire: Wire[str | bytes, str], asked: Asked, limiter: CapacityLimiter
) -> AsyncGenerator[DecodingWire]:
    """Decode the client's audio while this is open."""
    decoder = _Decoder(asked)
    tasks = [
        asyncio.create_task(decoder.listen(wire), name="deepgram-listen"),
        asyncio.create_task(decoder.run(limiter), name="deepgram-decode"),
    ]
    try:
        yield DecodingWire(wire, decoder)
    finally:
        decoder.stop()
        await end_tasks(tasks)


class _Decoder:
    """Between the connection, the thread and the dialect."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._pipe = Pipe()
        self._heard: asyncio.Queue[Heard | Gone] = asyncio.Queue()
        self._message_room = asyncio.Semaphore(_WAITING_MAX)
        self._audio_room = threading.Semaphore(_WAITING_MAX)
        self._is_over = asyncio.Event()

    async def next(self) -> Heard:
        """What the dialect hears next. Cancelling loses none."""
        heard = await self._heard.get()
        if isinstance(heard, Decoded):
            self._audio_room.release()
        else:
            self._message_room.release()
        if isinstance(heard, Gone):
            raise heard
        return heard

    async def listen(self, wire: Wire[str | bytes, str]) -> None:
        """Take the client's messages. The end of the audio is said once all before it is decoded."""
        try:
            while True:
                message = await wire.receive()
                if isinstance(message, bytes) and message:
                    await self._put(Coded(message))
                    await self._pipe.push(message)
                    continue
                if _is_end(message):
                    self._pipe.end()
                    await self._is_over.wait()
                await self._put(message)
        except Gone as gone:
            await self._put(gone)

    async def run(self, limiter: CapacityLimiter) -> None:
        """Decode until the end, in a thread."""
        try:
            await run_sync(self._decode, limiter=limiter)
        except BadAudio as error:
            await self._put(Undecodable(error.message))
        finally:
            self._is_over.set()
            self._pipe.close()

    def stop(self) -> None:
        """Let the thread end."""
        self._pipe.close()
        self._audio_room.release(_WAITING_MAX)

    async def _put(self, message: Heard | Gone) -> None:
        await self._message_room.acquire()
        self._heard.put_nowait(message)

    def _decode(self) -> None:
        """In the thread. What is there already goes on in larger pieces."""
        waiting: list[tuple[bytes, ...]] = []
        length = 0
        for channels in self._audio():
            if self._pipe.is_closed:
                return
            waiting.append(channels)
            length += len(channels[0])
            if length >= _PIECE_BYTES or self._pipe.is_empty:
                self._say(waiting)
                waiting, length = [], 0
        self._say(waiting)

    def _say(self, waiting: list[tuple[bytes, ...]]) -> None:
        if waiting:
            joined = Decoded(tuple(b"".join(pieces) for pieces in zip(*waiting, strict=True)))
            self._audio_room.acquire()
            self._loop.call_soon_threadsafe(self._heard.put_nowait, joined)

    def _audio(self) -> Generator[tuple[bytes, ...]]:
        split, encoding = self._asked.multichannel, self._asked.encoding
        if encoding == OPUS and not self._pipe.peek().startswith(_CONTAINERS):
            return decode_packets(self._pipe.messages(), channels=2 if split else 1, split=split)
        magic = _MAGIC.get(encoding, b"")
        if magic and not self._pipe.peek().startswith(b"#!AMR"):
            self._pipe.unread(magic)
        return decode_stream(self._pipe.read, split=split)


def _is_end(message: str | bytes) -> bool:
    if isinstance(message, bytes):
        return not message
    return isinstance(messages.read(message), messages.CloseStream)
