"""Addresses that name several servers: `scheme://[[user]:password@]host:port,host:port[/path]`."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from shared.errors import BadParameter


@dataclass(frozen=True, slots=True)
class Servers:
    """What such an address says."""

    hosts: tuple[tuple[str, int], ...]
    login: dict[str, str]
    """`username` and `password`, as far as there are any."""
    path: str

    @classmethod
    def parse(cls, url: str, *, port: int) -> Self:
        """`port` is that of hosts without one. Raises `BadParameter`."""
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        try:
            found = tuple(
                (host.strip("[]"), int(number or port)) for host, number in map(_split, hosts.split(","))
            )
        except ValueError:
            raise BadParameter(f"the {parts.scheme} address has a port that is no number") from None
        if not all(host for host, _ in found):
            raise BadParameter(f"the {parts.scheme} address lacks a host: it is host:port,host:port")
        user, _, password = login.partition(":")
        names = (("username", user), ("password", password))
        return cls(found, {name: unquote(value) for name, value in names if value}, parts.path.strip("/"))


def _split(host: str) -> tuple[str, str]:
    """Host and port; the colons in brackets are an address of IPv6."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not port.endswith("]") else (host, "")
