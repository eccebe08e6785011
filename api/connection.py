"""One client's socket, as a live session writes to it: numbered messages, through a bounded outbox."""

import asyncio
import contextlib
import json
from typing import Final

from fastapi import WebSocket, WebSocketDisconnect

from api.faults import CLOSE, close_code_of
from api.metrics import PARTIALS_DROPPED, REFUSED, WARNINGS
from api.outbox import Outbox
from shared.codec import event_to_map
from shared.errors import MustResume, StenoError, TakenOver
from shared.events import Closed, Error, Event, Warning

_CLOSE_OK: Final = 1000
_CLOSE_S_MAX: Final = 5.0
"""How long a close may wait for a client that does not read; the socket is cut then."""
STALLED_S: Final = 10.0
"""How long what is read from the log waits for a client that reads nothing of what was said before."""


class Connection:
    """Events out. A client that is gone is no error. `write_forever` is to run beside what pushes."""

    def __init__(self, socket: WebSocket, *, stalled_s: float = STALLED_S) -> None:
        self.socket = socket
        self._stalled_s = stalled_s
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._finished = False
        self._last = 0

    def push(self, seq: int, event: Event) -> None:
        """Have a numbered event written. Raises `MustResume` when the client reads too slowly."""
        self._last = seq
        self._put(seq, event)

    def push_own(self, event: Event) -> None:
        """Have something written that belongs to this connection, not to the session: it takes no number.
        Nothing is said so before `ready`."""
        if self._last:
            self._put(self._last, event)

    async def room(self) -> None:
        """Wait until the client has read most of what was pushed: for what can be had later as well. Raises
        `MustResume` when it reads nothing for too long."""
        while self._outbox.is_long:
            self._written.clear()
            try:
                async with asyncio.timeout(self._stalled_s):
                    await self._written.wait()
            except TimeoutError:
                raise MustResume("the client does not read; resume the session to get the rest") from None

    async def turn(self) -> None:
        """Let what waits be written as far as the client reads, before a burst looks like a slow client."""
        if self._outbox.is_long:
            await asyncio.sleep(0)

    def finish(self) -> None:
        """Nothing more will be pushed."""
        self._finished = True
        self._wake.set()

    async def write_forever(self) -> None:
        """Write what is pushed, until all is written after `finish`, or the client is gone."""
        # RuntimeError is what Starlette raises for a socket that was closed meanwhile.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while item := self._outbox.take():
                    await self._write(*item)
                    self._written.set()
                if self._finished:
                    return

    async def refuse(self, error: StenoError) -> None:
        """Say an error that is not in the session's log, because there is none or it can't be reached."""
        REFUSED.labels(error.code).inc()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S_MAX):
                await self._write(self._last + 1, as_event(error))

    async def close(self, error: StenoError | None = None) -> None:
        """Close without a message. With an error: the session goes on, on another connection."""
        code, reason = (close_code_of(error), error.code) if error else (_CLOSE_OK, "")
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S_MAX):
                await self.socket.close(code, reason)

    def _put(self, seq: int, event: Event) -> None:
        dropped = self._outbox.dropped
        self._outbox.push((seq, event))
        PARTIALS_DROPPED.inc(self._outbox.dropped - dropped)
        self._wake.set()

    async def _write(self, seq: int, event: Event) -> None:
        """Write an event; the last one closes the socket with the code that belongs to it."""
        message = event_to_map(event)
        text = json.dumps({"type": message.pop("type"), "seq": seq, **message}, ensure_ascii=False)
        await self.socket.send_text(text)
        if isinstance(event, Warning):
            WARNINGS.labels(event.code).inc()
        elif isinstance(event, Closed):
            await self.socket.close(_CLOSE_OK)
        elif isinstance(event, Error):
            await self.socket.close(CLOSE.get(event.code, 1011), event.code)


def as_event(error: StenoError) -> Error:
    """The message that says an error."""
    return Error(
        code=error.code, message=error.message, retryable=error.retryable, retry_after_s=error.retry_after_s
    )


def is_about_connection(error: StenoError) -> bool:
    """Whether an error ends the connection alone: the session goes on, on another one."""
    return isinstance(error, TakenOver | MustResume)
