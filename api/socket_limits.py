"""How large a WebSocket message may be, by path: a longer one is refused, with close code 1009, before it is
in memory. And how long the head of a request may take, and how large it may be."""

import asyncio
from collections.abc import Mapping
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.session_desk import MESSAGE_BYTES_MAX

LARGEST_BYTES: Final = 24 * 1024 * 1024
"""Of any surface: 15 MiB of audio in base64, in JSON."""
HEAD_BYTES_MAX: Final = 64 * 1024
_BY_PATH: Final[Mapping[str, int]] = {
    "/v1/stream": MESSAGE_BYTES_MAX,
    "/stream": MESSAGE_BYTES_MAX,
    "/v1/listen": MESSAGE_BYTES_MAX,
}


class LimitedProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own, with the limit of the path that a client asks for."""

    def handle_connect(self, event: Request) -> None:
        """The client's request is there."""
        limit = _BY_PATH.get(event.path.partition("?")[0], LARGEST_BYTES)
        self.conn.max_message_size = limit
        super().handle_connect(event)


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own, which would wait for the head of a request for ever, however long it gets. Here nobody
    holds connections, or memory, for nothing."""

    head_s = 30.0
    """From the connection, or a request's first byte, to the end of its head."""
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    # As uvicorn has it: a TCP server is never given another kind of transport.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; a request is due."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """More of it. What is too large is cut off; nobody reads answers while writing such heads."""
        was_waiting = self._timer is not None
        super().data_received(data)
        if was_waiting and self._timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._give_up()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(self.head_s, self._give_up)

    def _stop(self) -> None:
        self._head_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._stop()
        if not self.transport.is_closing():
            self.transport.abort()
