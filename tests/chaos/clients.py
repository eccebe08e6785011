"""Clients that come back: the SDK as its callers use it, and a raw one that resumes by itself and sends
things twice. Each reaches an edge over a line of its own, which can be cut or lead to the other edge."""

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import WebSocketException

from client import Resume
from client import connect as sdk_connect
from client.stream import LiveSession
from shared.codec import event_to_map
from shared.errors import StenoError
from tests.support.live import Message
from tests.support.marked import Talk
from tests.support.proxy import Proxy

CHUNK_BYTES: Final = 3200
STALL_S_MAX: Final = 90.0
"""Longest time without a message. A busy machine makes sessions slow; only one in which nothing happens any
more is wrong."""
_OPEN_S_MAX: Final = 5.0
_RETRY_S: Final = 0.2
_RESUME: Final = Resume(limit_s=60.0, delay_s=0.2, delay_s_max=1.0)


@dataclass
class Heard:
    """What one client got: messages of its session, without those that belong to a connection."""

    messages: list[Message] = field(default_factory=list[Message])
    times: list[float] = field(default_factory=list[float])
    """When each came, on this process's monotonic clock."""
    resumed: int = 0
    """Connections that it had beside the first."""

    def take(self, message: Message) -> None:
        """Note a message."""
        self.messages.append(message)
        self.times.append(time.monotonic())

    def pauses(self) -> list[tuple[float, float]]:
        """From each message to the next: when it began, and when it ended."""
        return list(pairwise(self.times))


class Patience:
    """Raises `TimeoutError` in its block when nothing was `heard` for too long."""

    def __init__(self) -> None:
        self._limit = asyncio.timeout(STALL_S_MAX)

    async def __aenter__(self) -> "Patience":
        await self._limit.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        return await self._limit.__aexit__(*raised)

    def heard(self) -> None:
        """The session moves."""
        self._limit.reschedule(asyncio.get_running_loop().time() + STALL_S_MAX)


async def sdk_client(pcm16: bytes, line: Proxy, pace: float) -> Heard:
    """Speak through the SDK, and hear what its caller hears."""
    heard = Heard()

    def changed(change: object) -> None:
        heard.resumed += bool(getattr(change, "is_up", False))

    async with contextlib.AsyncExitStack() as stack, Patience() as patience:
        while True:
            opening = sdk_connect(
                f"ws://127.0.0.1:{line.port}", open_s=_OPEN_S_MAX, resume=_RESUME, on_connection=changed
            )
            try:
                session = await stack.enter_async_context(opening)
                break
            except StenoError as error:  # there is no session yet that could be resumed
                if not error.retryable:
                    raise
                await asyncio.sleep(_RETRY_S)
        speaking = asyncio.create_task(_speak(session, pcm16, pace), name="speaking")
        try:
            async for event in session:
                heard.take({"seq": session.last_seq, **event_to_map(event)})
                patience.heard()
            await speaking
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    return heard


async def _speak(session: LiveSession, pcm16: bytes, pace: float) -> None:
    for at in range(0, len(pcm16), CHUNK_BYTES):
        await session.send(pcm16[at : at + CHUNK_BYTES])
        await asyncio.sleep(0.1 / pace)
    await session.end()


class RawClient:
    """Speaks the protocol itself. With `doubles` it comes back, in mid-speech, without having left: it goes
    on sending to its old connection what it sends to the new one, on another edge."""

    def __init__(
        self, said: Talk, line: Proxy, other: Proxy, *, pace: float, doubles: bool, seed: int
    ) -> None:
        self._said = said
        self._line = line
        self._other = other
        self._pace = pace
        self._double_at = random.Random(seed).randrange(len(said.pcm16)) if doubles else None
        self._old: list[ClientConnection] = []
        self._at = 0
        """Bytes that were sent, as the server counts them."""
        self._ended = False
        self._patience = Patience()
        self.heard = Heard()

    async def run(self) -> Heard:
        """A whole session."""
        try:
            async with Patience() as self._patience:
                while not self._is_over:
                    # What breaks a connection is no matter; what breaks the session is in what was heard.
                    with contextlib.suppress(WebSocketException, OSError, TimeoutError):
                        await self._one_connection()
                    if not self._is_over and not self._wants_other:
                        await asyncio.sleep(_RETRY_S)
        finally:
            for socket in self._old:
                await socket.close()
        return self.heard

    @property
    def _is_over(self) -> bool:
        return bool(self.heard.messages) and self.heard.messages[-1]["type"] in ("closed", "error")

    @property
    def _wants_other(self) -> bool:
        return self._double_at is not None and self._at > self._double_at

    async def _one_connection(self) -> None:
        line = self._line
        if self._wants_other:
            self._double_at, line = None, self._other
        # The old connection stays open behind this one: `_speak` repeats everything on it.
        socket = await asyncio.wait_for(open_socket(self._address(line), proxy=None), _OPEN_S_MAX)
        speaking: asyncio.Task[None] | None = None
        try:
            first: Message = json.loads(await asyncio.wait_for(socket.recv(), _OPEN_S_MAX))
            if first["type"] == "error" and first["retryable"]:
                return
            self._begin(first)
            speaking = asyncio.create_task(self._speak(socket), name="speaking")
            while not self._is_over and not self._wants_other:
                message: Message = json.loads(await socket.recv())
                if message["type"] == "error" and message["code"] == "broker_lost":
                    return  # said by the connection, not by the session
                self.heard.take(message)
                self._patience.heard()
        finally:
            if speaking is not None:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)
            if self._wants_other:
                self._old.append(socket)
            else:
                await socket.close()

    def _address(self, line: Proxy) -> str:
        query = ""
        if self.heard.messages:
            ready, last = self.heard.messages[0], self.heard.messages[-1]
            asked = {"session": ready["session"], "token": ready["token"], "after": last["seq"]}
            query = f"?{urlencode(asked)}"
        return f"ws://127.0.0.1:{line.port}/v1/stream{query}"

    def _begin(self, first: Message) -> None:
        if self.heard.messages and first["type"] == "ready":
            self.heard.resumed += 1
            self._at, self._ended = 2 * first["resumed"]["sample"], first["resumed"]["ended"]
        else:
            self.heard.take(first)

    async def _speak(self, socket: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException, OSError):
            while self._at < len(self._said.pcm16):
                chunk = self._said.pcm16[self._at : self._at + CHUNK_BYTES]
                for old in self._old:
                    with contextlib.suppress(WebSocketException, OSError):
                        await old.send(chunk)
                await socket.send(chunk)
                self._at += len(chunk)
                await asyncio.sleep(0.1 / self._pace)
            if not self._ended:
                await socket.send('{"type":"end"}')
