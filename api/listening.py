"""Listening sockets of the edge."""

import socket
from typing import Final

from shared.errors import BadParameter

_KEEPALIVE: Final = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30_000,
}
"""Seconds of quiet before the kernel asks, between its questions, how many; and milliseconds that what was
sent may wait to be taken. Where a system has no such option, its own times apply."""


def listen(host: str, port: int, *, variable: str) -> socket.socket:
    """A socket that connections are accepted from. Raises `BadParameter` that names the setting when the port
    is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _notice_the_dead(listener)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise BadParameter(f"can't listen on {host} port {port} ({reason}); set {variable}") from None
    listener.set_inheritable(True)
    return listener


def _notice_the_dead(listener: socket.socket) -> None:
    """Connections accepted here fail when their client is silently gone, or does not read for long."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
