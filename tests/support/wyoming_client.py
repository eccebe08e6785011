"""A Wyoming server beside a running service, and Home Assistant's side of it, with the package's client."""

import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from tests.support.service import Service, free_port

WAIT_S_MAX = 60.0


def started(service: Service) -> int:
    """Start the server alone; returns its port once it listens."""
    port = free_port()
    service.start("api.wyoming", name="wyoming", environment={"STENO_WYOMING_PORT": str(port)})
    deadline = time.monotonic() + WAIT_S_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            assert time.monotonic() < deadline, service.log.read_text()[-4000:]
            time.sleep(0.05)
        else:
            return port


@asynccontextmanager
async def client_of(port: int) -> AsyncGenerator[AsyncTcpClient]:
    """The package's own client."""
    async with AsyncTcpClient("127.0.0.1", port, read_timeout=WAIT_S_MAX) as client:
        yield client


async def say(
    client: AsyncTcpClient, audio: bytes, *, rate: int = 16000, width: int = 2, channels: int = 1
) -> None:
    """An utterance as Home Assistant sends it."""
    await client.write_event(AudioStart(rate, width, channels).event())
    for i in range(0, len(audio), 3200):
        piece = audio[i : i + 3200]
        await client.write_event(AudioChunk(rate, width, channels, piece).event())
    await client.write_event(AudioStop().event())


async def until(client: AsyncTcpClient, kind: str) -> list[Event]:
    """Read up to an event of a type, which is the last."""
    events: list[Event] = []
    while not events or events[-1].type != kind:
        event = await client.read_event()
        assert event is not None, f"closed after {[e.type for e in events]}"
        events.append(event)
    return events


async def heard(client: AsyncTcpClient) -> str:
    """The next transcript, as Home Assistant waits for it: all else is skipped."""
    return Transcript.from_event((await until(client, "transcript"))[-1]).text
