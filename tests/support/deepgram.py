"""A raw client of Deepgram's live protocol."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]
WAIT_S_MAX = 60.0
RAW: dict[str, Any] = {"encoding": "linear16", "sample_rate": "16000"}


class Listening:
    """Frames as they are on the wire."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []

    async def audio(self, data: bytes, *, chunk_bytes: int = 6400) -> None:
        """Send audio in chunks, as fast as it is taken."""
        for i in range(0, len(data), chunk_bytes):
            await self.socket.send(data[i : i + chunk_bytes])

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a text message."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str, **fields: Any) -> Frame:
        """Receive up to the first frame of a type with these fields, and return it."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                frame = json.loads(await self.socket.recv())
                self.frames.append(frame)
                if frame["type"] == kind and fields.items() <= frame.items():
                    return frame

    async def until_closed(self) -> tuple[int, str]:
        """Receive everything. Returns the close code and reason."""
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while True:
                    self.frames.append(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            return self.socket.close_code or 0, self.socket.close_reason or ""

    def of(self, kind: str) -> list[Frame]:
        """Frames of a type so far."""
        return [frame for frame in self.frames if frame["type"] == kind]

    def finals(self, channel: int = 0) -> list[Frame]:
        """The final results of a channel."""
        return [f for f in self.of("Results") if f["is_final"] and f["channel_index"][0] == channel]

    def transcript(self, channel: int = 0) -> str:
        """The finals joined, as Deepgram's examples do it."""
        texts = (f["channel"]["alternatives"][0]["transcript"] for f in self.finals(channel))
        return " ".join(text for text in texts if text)

    def check_tiles(self, duration_s: float, channel: int = 0) -> None:
        """Finals cover the whole stream without a gap or an overlap, and words lie in theirs."""
        finals = self.finals(channel)
        edges = [(f["start"], f["start"] + f["duration"]) for f in finals]
        assert edges[0][0] == 0.0
        assert abs(edges[-1][1] - duration_s) < 0.01, (edges, duration_s)
        assert all(abs(a[1] - b[0]) < 0.0015 for a, b in itertools.pairwise(edges)), edges
        for frame, (start, end) in zip(finals, edges, strict=True):
            times = [(w["start"], w["end"]) for w in frame["channel"]["alternatives"][0]["words"]]
            assert times == sorted(times)
            assert all(start - 0.001 <= a <= b <= end + 0.001 for a, b in times)


@asynccontextmanager
async def listening(
    ws_url: str, query: Mapping[str, Any] | None = None, **more: Any
) -> AsyncGenerator[Listening]:
    """Connect; without a `query` for raw canonical audio."""
    values = {**(RAW if query is None else query), **more}
    headers = {"Authorization": "Token anything"}
    address = f"{ws_url}/v1/listen?{urlencode(values, doseq=True)}"
    async with connect(address, proxy=None, max_size=None, additional_headers=headers) as socket:
        yield Listening(socket)


async def listened(
    ws_url: str, audio: bytes, query: Mapping[str, Any] | None = None, **more: Any
) -> Listening:
    """A whole stream: audio, CloseStream, everything received, closed normally."""
    async with listening(ws_url, query, **more) as session:
        await session.audio(audio)
        await session.say("CloseStream")
        code, reason = await session.until_closed()
        assert (code, session.frames[-1]["type"]) == (1000, "Metadata"), (code, reason, session.frames[-1:])
        return session
