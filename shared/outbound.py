"""Requests to addresses that clients name: the server must not be led into its own network (SSRF).

A host is resolved once, all its addresses are checked, and the request goes to the address that was checked,
with the host's name in TLS and in `Host`: a name that resolves to something else a moment later changes
nothing. Redirects are never followed unseen.
"""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from shared.errors import BadParameter
from shared.jobs import check_http_url

_CARRIERS: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
)
"""IPv6 addresses that carry an IPv4 address to somewhere else (NAT64, 6to4, Teredo)."""


@dataclass(frozen=True, slots=True)
class Target:
    """A request's address, checked: what httpx is to be given."""

    url: str
    headers: dict[str, str]
    extensions: dict[str, Any]


def pinned(url: str, *, name: str, private: bool) -> Target:
    """The address with its host resolved and checked. Blocks while it is resolved.

    Raises `BadParameter` that calls the address `name`: it is no HTTP address, its host is not known, or one
    of the host's addresses is not public and `private` is false.
    """
    parts = urlsplit(check_http_url(name, url))
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _checked(host, _resolved(host, port, name), name, private=private)
    literal = f"[{address}]" if ":" in address else address
    return Target(
        url=urlunsplit((parts.scheme, f"{literal}:{port}", parts.path or "/", parts.query, "")),
        headers={"Host": parts.netloc},
        extensions={"sni_hostname": host} if parts.scheme == "https" else {},
    )


def is_host_allowed(url: str, allowed: Sequence[str]) -> bool:
    """Whether the address's host is one of `allowed`; `*.example.com` is every host below that."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    return any(
        host == entry or (entry.startswith("*.") and host.endswith(entry[1:]))
        for entry in (text.strip().lower() for text in allowed)
        if entry
    )


def _resolved(host: str, port: int, name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BadParameter(f"the host of {name} is not known") from None
    return [str(row[4][0]) for row in found]


def _checked(host: str, addresses: Sequence[str], name: str, *, private: bool) -> str:
    """The first address; all must be good, or the next look-up might give a bad one."""
    if not addresses or (not private and not all(map(is_public, addresses))):
        raise BadParameter(f"the host of {name} has an address that is not public: {host}")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: not private, loopback, link-local, multicast, or a
    way round these."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _CARRIERS):
            return False
    return found.is_global and not found.is_multicast
