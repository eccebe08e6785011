"""One UDP port of the edge for the peers of all sessions.

Which peer a datagram is from, its sender's address says, once a check of ICE from there has proved with the
peer's password that it is so (RFC 8445). What comes from anywhere else is dropped without an answer, so that
nothing is sent to who has not been let in.
"""

import asyncio
import ipaddress
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import aioice
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, get_host_addresses, server_reflexive_candidate

from shared.errors import BadParameter

Address = tuple[str, int]

_STUN_S_MAX: Final = 3.0
_ADDRESSES_MAX: Final = 16
"""Addresses that one peer may check from."""
_BUFFER_BYTES: Final = 4 * 1024 * 1024
"""Asked of the kernel: two seconds of a hundred peers."""
_DTLS_FROM: Final = 20
"""First byte below which a datagram is STUN's (RFC 7983)."""
_LOOPBACK: Final = "127.0.0.1"


def bind_udp(host: str, port: int, announced: Sequence[str] = ()) -> list["BoundAddress"]:
    """A socket for each address that `host` stands for: a wildcard is all of this machine's. `announced` is
    what clients are told instead, one for each of the same family. Raises `BadParameter`."""
    bound: list[BoundAddress] = []
    for address in _addresses(host):
        told = next((a for a in announced if (":" in a) == (":" in address)), "") if announced else address
        if not told:
            continue
        bound.append(BoundAddress(_bind(address, port), told))
        port = port or bound[0].socket.getsockname()[1]
    if not bound:
        raise BadParameter(f"STENO_RTC_ADDRESSES has no address of the kind of STENO_HOST {host}")
    return bound


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """A socket, and the address under which clients reach it."""

    socket: socket.socket
    told: str


class UdpPort:
    """All sockets with their peers."""

    def __init__(self, bound: Sequence[BoundAddress]) -> None:
        self._bound = bound
        self._doors: list[_Door] = []

    async def open(self) -> None:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        for address in self._bound:
            door = _Door(address)
            await loop.create_datagram_endpoint(lambda door=door: door, sock=address.socket)
            self._doors.append(door)

    def close(self) -> None:
        """Close all sockets. All peers must be closed before."""
        for door in self._doors:
            door.transport.close()
        self._doors.clear()

    def join(self, connection: aioice.Connection) -> list[StunProtocol]:
        """Places for the connection of a new peer, one at each address."""
        return [door.join(connection) for door in self._doors]

    def heard_s(self, connection: aioice.Connection) -> float | None:
        """When the peer was last heard, on the monotonic clock; None: never, or not over this port."""
        places = [door.places.get(connection.local_username) for door in self._doors]
        heard = [place.heard_s for place in places if place is not None and place.heard_s]
        return max(heard, default=None)


class SharedPortConnection(aioice.Connection):
    """aioice's, with its host candidates on the port that all share."""

    def __init__(self, port: UdpPort, **options: Any) -> None:
        super().__init__(ice_controlling=False, **options)
        self._port: UdpPort | None = port

    def let_go(self) -> None:
        """It is closed: nothing of it waits for the collector of cycles."""
        self._port = None
        self._check_list.clear()
        self._early_checks.clear()

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 - aioice's
    ) -> list[aioice.Candidate]:
        """`addresses` are not asked for: the port is bound. Servers are asked as ever."""
        places = self._port.join(self) if self._port is not None else []
        self._protocols += places
        own = [place.local_candidate for place in places]
        reflexive = await self._reflexive(places) if self.stun_server else []
        relayed: list[aioice.Candidate] = []
        if self.turn_server:
            relayed = await super().get_component_candidates(component, [], timeout)
        return [*own, *reflexive, *relayed]

    async def _reflexive(self, places: Sequence[StunProtocol]) -> list[aioice.Candidate]:
        """How this machine's sockets look from outside."""
        assert self.stun_server is not None
        asking = [
            asyncio.create_task(server_reflexive_candidate(place, self.stun_server))
            for place in places
            if ipaddress.ip_address(place.local_candidate.host).version == 4  # aioice asks no others
        ]
        done, late = await asyncio.wait(asking, timeout=_STUN_S_MAX) if asking else (set(), set())
        for task in late:
            task.cancel()
        return [task.result()[0] for task in done if task.exception() is None]


@dataclass(eq=False, slots=True)
class _Place:
    """One peer at one socket. What `StunProtocol` takes for its transport."""

    door: "_Door"
    protocol: StunProtocol
    ufrag: str
    password: bytes
    addresses: set[Address] = field(default_factory=set[Address])
    heard_s: float = 0.0

    def sendto(self, data: bytes, address: Address) -> None:
        self.door.send(data, address)

    def get_extra_info(self, name: str) -> object:
        return self.door.transport.get_extra_info(name)

    def is_closing(self) -> bool:
        return self.door.places.get(self.ufrag) is not self

    def close(self) -> None:
        self.door.leave(self)
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)
        del self.protocol  # which holds this: nothing is to wait for the collector of cycles


class _Door(asyncio.DatagramProtocol):
    """One socket, and who is behind which address."""

    transport: asyncio.DatagramTransport

    def __init__(self, bound: BoundAddress) -> None:
        self._told = bound.told
        self._port = int(bound.socket.getsockname()[1])
        self.places: dict[str, _Place] = {}
        self._by_address: dict[Address, _Place] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def error_received(self, exc: Exception) -> None:
        """A peer's port is closed, says the network; its consent will say so too."""

    def join(self, connection: aioice.Connection) -> StunProtocol:
        """A place for a peer."""
        protocol = StunProtocol(connection)
        ufrag = connection.local_username
        place = _Place(self, protocol, ufrag, connection.local_password.encode())
        self.places[ufrag] = place
        protocol.connection_made(cast(asyncio.BaseTransport, place))
        protocol.local_candidate = aioice.Candidate(
            foundation=candidate_foundation("host", "udp", self._told),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host"),
            host=self._told,
            port=self._port,
            type="host",
        )
        return protocol

    def leave(self, place: _Place) -> None:
        """The peer is gone."""
        if self.places.get(place.ufrag) is place:
            del self.places[place.ufrag]
        for address in place.addresses:
            if self._by_address.get(address) is place:
                del self._by_address[address]

    def send(self, data: bytes, address: Address) -> None:
        """A datagram to a peer."""
        if not self.transport.is_closing():
            self.transport.sendto(data, address)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Somebody's."""
        address: Address = (str(addr[0]), int(addr[1]))
        place = self._by_address.get(address)
        if data[:1] and data[0] < _DTLS_FROM:
            place = self._checked(data, address, place)
        if place is not None:
            place.heard_s = time.monotonic()
            place.protocol.datagram_received(data, address)

    def _checked(self, data: bytes, address: Address, place: _Place | None) -> _Place | None:
        """Whose a message of STUN is. A check that proves itself says whose all else from there is; the
        newest is right, because networks give an address to another peer when the first is gone."""
        try:
            message = stun.parse_message(data)
        except (ValueError, LookupError, struct.error):  # what its reader raises for what is none
            return None
        if message.message_class is not stun.Class.REQUEST:
            if place is not None and message.transaction_id in place.protocol.transactions:
                return place
            return next(
                (p for p in self.places.values() if message.transaction_id in p.protocol.transactions), None
            )
        ufrag = str(message.attributes.get("USERNAME", "")).partition(":")[0]
        asked = self.places.get(ufrag)
        if asked is None or not message.check_message_integrity(asked.password):
            return None
        if asked is not place:
            if len(asked.addresses) >= _ADDRESSES_MAX:
                return None
            asked.addresses.add(address)
            self._by_address[address] = asked
        return asked


def _addresses(host: str) -> list[str]:
    """The addresses that a server with this setting listens on."""
    if host in ("", "0.0.0.0"):
        return get_host_addresses(use_ipv4=True, use_ipv6=False) or [_LOOPBACK]
    if host == "::":
        return get_host_addresses(use_ipv4=True, use_ipv6=True) or [_LOOPBACK]
    try:
        return [str(socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0][4][0])]
    except OSError as error:
        raise BadParameter(f"STENO_HOST {host} is no address of this machine ({error.strerror})") from None


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        reason = error.strerror or error
        raise BadParameter(
            f"can't listen on {address} UDP port {port} ({reason}); set STENO_RTC_PORT"
        ) from None
    bound.setblocking(False)
    return bound
