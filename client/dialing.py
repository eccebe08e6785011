"""Opens WebSockets to the server, and says in the client's errors why one can't be opened."""

from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from client.errors import BadReply, ConnectionLost, from_response, unanswered
from client.incoming import Received, closed_early, parse

_MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""Largest message taken from the server. The final of the longest utterance with words is under 100 kB."""
_CLOSE_S_MAX: Final = 5.0
_PONG_S_MAX: Final = 40.0
"""How long the server may not answer a ping: it does not read while its workers are behind. A server that
acknowledges audio is missed much earlier."""


async def dial(address: str, headers: Mapping[str, str] | None = None) -> ClientConnection:
    """A connection to the server, asked for with these headers. Raises `ConnectionLost`, `BadReply`, or what
    the server says against it."""
    server = address.partition("?")[
        0
    ]  # the query may hold a prompt or a token, which are no one else's to see
    try:
        return await open_socket(
            address,
            additional_headers=headers,
            compression=None,  # audio does not shrink; it would only cost time on both sides
            max_size=_MESSAGE_BYTES_MAX,
            open_timeout=None,  # the caller has one for the whole opening
            close_timeout=_CLOSE_S_MAX,
            ping_timeout=_PONG_S_MAX,
        )
    except InvalidStatus as refusal:
        reply = refusal.response
        retry_after = reply.headers.get("Retry-After")
        raise from_response(reply.status_code, bytes(reply.body or b""), retry_after=retry_after) from None
    except InvalidMessage as error:
        if isinstance(error.__cause__, EOFError | OSError):  # hung up, as a server does that is stopping
            raise ConnectionLost(f"{server} hung up") from None
        raise _not_steno(server) from None
    except InvalidHandshake:
        raise _not_steno(server) from None
    except OSError as error:
        why = error.strerror or error
        raise unanswered(server, why) from None


async def receive(connection: ClientConnection) -> Received | None:
    """The next message; None for one of a kind that this client does not know. Raises `BadReply`, and
    `Closed` when there is none any more. Cancelling loses nothing."""
    try:
        return parse(await connection.recv())
    except ConnectionClosed as closed:
        frame = closed.rcvd or closed.sent
        raise SocketClosed(frame.code if frame else 1006, frame.reason if frame else "") from None


class SocketClosed(Exception):
    """The connection was closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.error = closed_early(code, reason)


def _not_steno(server: str) -> BadReply:
    return BadReply(f"{server} does not speak WebSocket; is this a Steno server?")
