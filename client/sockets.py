"""A WebSocket as the client uses it, whatever library it is of."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from client.incoming import Received, closed_early, parse

MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""Largest message taken from the server. The final of the longest utterance with words is under 100 kB."""


class Socket(Protocol):
    """An open connection to the server. One task may send while another receives."""

    @property
    def is_open(self) -> bool:
        """Whether it can still be used, as far as is known."""
        ...

    async def send(self, message: bytes | str) -> None:
        """Send a message; waits while the network is slow. Raises `SocketClosed`."""
        ...

    async def receive(self) -> bytes | str:
        """The next message. Raises `SocketClosed` when there is none any more. Cancelling loses nothing."""
        ...

    def abort(self) -> None:
        """End it at once, without a word to the server."""
        ...

    async def close(self) -> None:
        """End it in order, within seconds. Idempotent; never raises."""
        ...


Dial = Callable[[str, Mapping[str, str] | None], Awaitable[Socket]]
"""Opens a connection to an address, asked for with these headers. Raises `ConnectionLost`, `BadReply`, or
what the server says against it."""


class SocketClosed(Exception):
    """The connection was closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.error = closed_early(code, reason)


async def receive(socket: Socket) -> Received | None:
    """The next event; None for one of a kind that this client does not know. Raises `BadReply` and
    `SocketClosed`. Cancelling loses nothing."""
    return parse(await socket.receive())


def public(address: str) -> str:
    """An address without its query, which may hold a prompt or a token: those are no one else's to see."""
    return address.partition("?")[0]
