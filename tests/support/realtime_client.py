"""A raw client of `/v1/realtime`, for tests that send what no package would."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Frame = dict[str, Any]
WAIT_S_MAX = 60.0
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
COMMITTED = "input_audio_buffer.committed"


def transcription(turn_detection: Any, *, rate: int = 16_000, **given: Any) -> Frame:
    """A session of the GA shape for pcm16 of some rate."""
    audio = {"format": {"type": "audio/pcm", "rate": rate}, "turn_detection": turn_detection} | given
    return {"type": "transcription", "audio": {"input": audio}}


class RealtimeClient:
    """Events as they are on the wire."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []

    async def say(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def audio(self, data: bytes, *, chunk_bytes: int = 6400) -> None:
        """Append audio in chunks, as fast as it is taken."""
        for at in range(0, len(data), chunk_bytes):
            audio = base64.b64encode(data[at : at + chunk_bytes]).decode()
            await self.say("input_audio_buffer.append", audio=audio)

    async def until(self, kind: str) -> Frame:
        """Receive up to the first event of a type, and return it."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                frame = json.loads(await self.socket.recv())
                self.frames.append(frame)
                if frame["type"] == kind:
                    return frame

    async def until_closed(self) -> tuple[int, str]:
        """Receive everything. Returns the close code and reason."""
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while True:
                    self.frames.append(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            return self.socket.close_code or 0, self.socket.close_reason or ""

    async def until_completed(self, *, last: str | None = None, count: int = -1) -> list[str]:
        """Receive until so many items are completed, or one with this text. Returns all texts in order."""
        while True:
            items = [frame["item_id"] for frame in self.of(COMMITTED)]
            texts = {frame["item_id"]: frame["transcript"] for frame in self.of(COMPLETED)}
            if len(texts) == count or last in texts.values():
                return [texts[item] for item in items]
            await self.until(COMPLETED)

    def of(self, kind: str) -> list[Frame]:
        """Events of a type so far."""
        return [frame for frame in self.frames if frame["type"] == kind]


@asynccontextmanager
async def realtime(
    ws_url: str,
    *,
    subprotocols: Sequence[str] = (),
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    **query: str,
) -> AsyncGenerator[RealtimeClient]:
    """Connect."""
    address = f"{ws_url}/v1/realtime" + (f"?{urlencode(query)}" if query else "")
    async with connect(
        address,
        proxy=None,
        max_size=None,
        ssl=tls,
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        # An edge that does not read, because of what lies before the worker, does not answer pings either.
        ping_interval=None,
    ) as socket:
        yield RealtimeClient(socket)
