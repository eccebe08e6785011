"""Opens WebSockets to the server with the library `websockets`, and says in the client's errors why one can't
be opened."""

from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from client.errors import BadReply, ConnectionLost, from_response, unanswered
from client.sockets import MESSAGE_BYTES_MAX, Socket, SocketClosed, public

_CLOSE_S_MAX: Final = 5.0
_PONG_S_MAX: Final = 40.0
"""How long the server may not answer a ping: it does not read while its workers are behind. A server that
acknowledges audio is missed much earlier."""


async def dial(address: str, headers: Mapping[str, str] | None = None) -> Socket:
    """A connection to the server, asked for with these headers. Raises `ConnectionLost`, `BadReply`, or what
    the server says against it."""
    server = public(address)
    try:
        connection = await open_socket(
            address,
            additional_headers=headers,
            compression=None,  # audio does not shrink; it would only cost time on both sides
            max_size=MESSAGE_BYTES_MAX,
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

    return _Websocket(connection)


class _Websocket:
    """`Socket` over the library."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @property
    def is_open(self) -> bool:
        """See `Socket`."""
        return self._connection.close_code is None

    async def send(self, message: bytes | str) -> None:
        """See `Socket`."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def receive(self) -> bytes | str:
        """See `Socket`."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    def abort(self) -> None:
        """See `Socket`."""
        self._connection.transport.abort()

    async def close(self) -> None:
        """See `Socket`."""
        await self._connection.close()


def _closed(closed: ConnectionClosed) -> SocketClosed:
    frame = closed.rcvd or closed.sent
    return SocketClosed(frame.code if frame else 1006, frame.reason if frame else "")


def _not_steno(server: str) -> BadReply:
    return BadReply(f"{server} does not speak WebSocket; is this a Steno server?")
