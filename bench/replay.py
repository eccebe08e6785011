"""Plays audio to a live session in real time, as a microphone would, and records what comes back.

The schedule is absolute: the chunk that ends at `t` seconds of the audio is sent `t` seconds after the
session's zero, however long anything before took, so no delay moves later chunks. A load generator that can't
keep its own schedule measures itself; its slip is recorded with every chunk.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bench.dataset import Program
from bench.surfaces import Native, Surface
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE

CHUNK_S = 0.1
CLOSE_S_MAX = 60.0
"""How long `ready` may take, and the last finals after `end`."""


@dataclass(slots=True)
class Recording:
    """What one session did. Times are seconds after its zero, the moment its first sample was spoken."""

    zero_s: float = 0.0
    """The zero itself, on this process's monotonic clock."""
    ready_s: float = float("nan")
    """From the connection's start to `ready`."""
    sent_s: float = 0.0
    """Audio sent."""
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list[tuple[float, dict[str, Any]]])
    """Every message with its arrival time; those before zero are negative."""
    slips_s: list[float] = field(default_factory=list[float])
    """Per chunk, how much later than planned this program came to send it; waiting for a server that does not
    read is not counted here."""
    blocked_s: float = 0.0
    """Longest wait for a server that did not read."""
    close_code: int | None = None
    failure: str = ""
    """Why the session did not end as it should; empty when it did."""


async def replay(
    url: str, program: Program, *, query: Mapping[str, str], surface: Surface | None = None
) -> Recording:
    """Open a session, play the program at 1x, end it, and wait for its close. `url` and `query` are those of
    the native surface, whichever is used. What the server does wrong is no exception but
    `Recording.failure`."""
    surface = surface or Native()
    address = surface.address(url, query)
    recording = Recording(zero_s=time.perf_counter())
    limit_s = program.duration_s + 2 * CLOSE_S_MAX
    try:
        async with asyncio.timeout(limit_s), _connected(address) as socket:
            for message in surface.opening(query):
                await socket.send(message)
            await _session(socket, program, recording, surface)
    except TimeoutError:
        recording.failure = recording.failure or f"not over after {limit_s:.0f} s"
    except (WebSocketException, OSError) as error:
        recording.failure = recording.failure or f"{type(error).__name__}: {error}"
    return recording


class _Tcp:
    """A TCP connection as a socket of messages, which are bytes as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.close_code: int | None = None

    async def send(self, message: str | bytes) -> None:
        self._writer.write(message.encode() if isinstance(message, str) else message)
        await self._writer.drain()

    async def close(self) -> None:
        """Only the client ends such a session in order."""
        self.close_code = 1000
        self._writer.close()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        while data := await self._reader.read(65536):
            yield data


@asynccontextmanager
async def _connected(address: str) -> AsyncGenerator[ClientConnection | _Tcp]:
    if not address.startswith("tcp:"):
        async with connect(address, compression=None, max_size=None) as socket:
            yield socket
        return
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield _Tcp(reader, writer)
    finally:
        writer.transport.abort()


async def _session(
    socket: ClientConnection | _Tcp, program: Program, recording: Recording, surface: Surface
) -> None:
    started_s = recording.zero_s
    opened = asyncio.Event()
    reader = asyncio.create_task(_read(socket, recording, surface, opened))
    try:
        await opened.wait()
        recording.zero_s = time.perf_counter()
        if not recording.failure:
            recording.ready_s = recording.zero_s - started_s
            await _play(socket, program, recording, surface)
            for message in surface.end():
                await socket.send(message)
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        recording.close_code = socket.close_code
        recording.messages = [(at_s - recording.zero_s, message) for at_s, message in recording.messages]


async def _play(
    socket: ClientConnection | _Tcp, program: Program, recording: Recording, surface: Surface
) -> None:
    chunk_bytes = round(CHUNK_S * SAMPLE_RATE) * SAMPLE_BYTES
    audio = memoryview(program.pcm16)
    for start in range(0, len(audio), chunk_bytes):
        chunk = audio[start : start + chunk_bytes]
        spoken_s = (start + len(chunk)) / (SAMPLE_RATE * SAMPLE_BYTES)
        due_s = max(recording.zero_s + spoken_s, time.perf_counter())
        await asyncio.sleep(due_s - time.perf_counter())
        woken_s = time.perf_counter()
        recording.slips_s.append(woken_s - due_s)
        await socket.send(surface.audio(bytes(chunk)))
        recording.blocked_s = max(recording.blocked_s, time.perf_counter() - woken_s)
        recording.sent_s = spoken_s


async def _read(
    socket: ClientConnection | _Tcp, recording: Recording, surface: Surface, opened: asyncio.Event
) -> None:
    try:
        async for data in socket:
            at_s = time.perf_counter()
            for message in surface.received(data):
                message.setdefault("seq", len(recording.messages) + 1)
                recording.messages.append((at_s, message))
                if message["type"] == "error":
                    recording.failure = f"{message['code']}: {message['message']}"
                if message["type"] in ("ready", "error"):
                    opened.set()
                if message["type"] == "closed" and surface.hangs_up:
                    await socket.close()
    finally:
        opened.set()
