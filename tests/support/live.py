"""A raw client of the native protocol, for tests that send what the SDK never would."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Message = dict[str, Any]
WAIT_S_MAX = 60.0


class RawSession:
    """Messages as they are on the wire."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[Message] = []

    async def audio(self, pcm16: bytes, *, chunk_bytes: int = 6400) -> None:
        """Send audio in chunks, as fast as it is taken."""
        for i in range(0, len(pcm16), chunk_bytes):
            await self.socket.send(pcm16[i : i + chunk_bytes])

    async def say(self, kind: str) -> None:
        """Send a control message."""
        await self.socket.send(json.dumps({"type": kind}))

    async def until(self, kind: str) -> Message:
        """Receive up to the first message of a type, and return it."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                message = json.loads(await self.socket.recv())
                self.messages.append(message)
                if message["type"] == kind:
                    return message

    async def until_closed(self) -> tuple[int, str]:
        """Receive everything. Returns the close code and reason."""
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while True:
                    self.messages.append(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            return self.socket.close_code or 0, self.socket.close_reason or ""

    def of(self, kind: str) -> list[Message]:
        """Messages of a type so far."""
        return [message for message in self.messages if message["type"] == kind]

    @property
    def transcript(self) -> str:
        """The finals joined by their offsets."""
        text = ""
        for final in self.of("final"):
            text = text.ljust(final["offset"])[: final["offset"]] + final["text"]
        return text


@asynccontextmanager
async def raw_session(ws_url: str, path: str = "/v1/stream", **query: str) -> AsyncGenerator[RawSession]:
    """Connect with query parameters."""
    address = f"{ws_url}{path}" + (f"?{urlencode(query)}" if query else "")
    async with connect(address, proxy=None, max_size=None) as socket:
        yield RawSession(socket)


async def transcribe(ws_url: str, pcm16: bytes, **query: str) -> RawSession:
    """A whole session: audio, end, everything received, closed normally."""
    async with raw_session(ws_url, **query) as session:
        await session.audio(pcm16)
        await session.say("end")
        code, reason = await session.until_closed()
        assert (code, session.messages[-1]["type"]) == (1000, "closed"), (code, reason, session.messages[-1:])
        return session
