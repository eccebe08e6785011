"""How large a WebSocket message may be, by path: a longer one is refused, with close code 1009, before it is
in memory."""

from collections.abc import Mapping
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.session_desk import MESSAGE_BYTES_MAX

LARGEST_BYTES: Final = 24 * 1024 * 1024
"""Of any surface: 15 MiB of audio in base64, in JSON."""
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
