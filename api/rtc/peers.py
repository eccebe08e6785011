"""All peers of one edge: their port, their number, and the conversation of each."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from aiortc import RTCIceServer

from api.conversation import converse
from api.dialect import Open, Resume
from api.metrics import RTC_PEERS
from api.rtc.dialect import RtcDialect
from api.rtc.offer import read_offer
from api.rtc.options import RtcOptions
from api.rtc.peer import Peer
from api.rtc.udp import BoundAddress, UdpPort
from api.rtc.wire import PeerWire
from api.session_desk import SessionDesk
from shared.audio.convert import CANONICAL
from shared.errors import NoCapacity, NotFound
from shared.events import Error
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

_GOING_AWAY: Final = 1012
"""What WebSockets are closed with when the edge stops."""
_FAREWELL_S: Final = 4.0
_END: Final = '{"type":"end"}'


@dataclass(frozen=True, slots=True)
class Answered:
    """A peer that is let in."""

    id: str
    sdp: str


@dataclass(eq=False, slots=True)
class _Guest:
    tenant: str
    wire: PeerWire
    task: "asyncio.Task[None] | None" = None


class Peers:
    """They are let in while `running` is."""

    def __init__(self, desk: SessionDesk, bound: Sequence[BoundAddress], options: RtcOptions) -> None:
        self._desk = desk
        self._port = UdpPort(bound)
        self._options = options
        self._servers = [RTCIceServer(uri, *_login(uri, options)) for uri in options.servers]
        self._guests: dict[str, _Guest] = {}
        self._is_open = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Read the port meanwhile. At the end all peers are told and closed; their sessions wait for them."""
        await self._port.open()
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False
            await self._send_away()
            self._port.close()

    async def let_in(self, text: str, opening: Open | Resume) -> Answered | Error:
        """Answer an offer when its session is there; the error is what there is instead of one. Raises what
        `read_offer` does, and `NoCapacity`."""
        offer = read_offer(text)
        if len(self._guests) >= self._options.peers_max or not self._is_open:
            raise NoCapacity(
                f"this edge has {len(self._guests)} WebRTC peers and takes no more",
                retry_after_s=self._options.retry_after_s,
            )
        # The audio is made canonical here: whatever connection began the session, this one goes on where its
        # audio stands.
        opening = replace(opening, audio=CANONICAL)
        tenant = opening.config.tenant
        wire = PeerWire()
        id, guest = secrets.token_urlsafe(18), _Guest(tenant, wire)
        self._guests[id] = guest
        RTC_PEERS.set(len(self._guests))
        peer = wire.peer = Peer(
            offer,
            self._port,
            servers=self._servers,
            on_audio=wire.put_audio,
            on_message=wire.put_wish,
            on_change=wire.changed,
        )
        try:
            sdp = await peer.answer()
        except BaseException:
            self._forget(id)
            await peer.close()
            raise
        guest.task = asyncio.create_task(self._serve(id, peer, wire, RtcDialect(opening)))
        refusal = await asyncio.shield(wire.opened)
        return refusal or Answered(id, sdp)

    def end(self, id: str, tenant: str) -> None:
        """End the session of a peer, as its own `end` would. Raises `NotFound`."""
        guest = self._guests.get(id)
        if guest is None or guest.tenant != tenant:
            raise NotFound("this edge has no such peer")
        guest.wire.put_wish(_END)

    async def _serve(self, id: str, peer: Peer, wire: PeerWire, dialect: RtcDialect) -> None:
        connecting = asyncio.create_task(self._connect(peer, wire))
        try:
            await converse(wire, dialect, self._desk)
        except Exception:  # nobody waits for this task, who could tell of it
            log.exception("a WebRTC session broke")
        finally:
            wire.stop()
            peer.leave()
            await end_tasks([connecting])
            await peer.close()
            self._forget(id)

    async def _connect(self, peer: Peer, wire: PeerWire) -> None:
        if await asyncio.shield(wire.opened) is not None:
            return
        try:
            await peer.connect(self._options.connect_s)
        except TimeoutError:
            wire.never_came()
        except Exception:  # of whatever aiortc raises: the session must not wait for ever
            log.exception("a WebRTC peer broke while it connected")
            wire.never_came()

    def _forget(self, id: str) -> None:
        self._guests.pop(id, None)
        RTC_PEERS.set(len(self._guests))

    async def _send_away(self) -> None:
        guests = list(self._guests.values())
        tasks = [guest.task for guest in guests if guest.task is not None]
        farewells = [asyncio.create_task(guest.wire.close(_GOING_AWAY, "restart")) for guest in guests]
        if tasks:
            await asyncio.wait([*tasks, *farewells], timeout=_FAREWELL_S)
        await end_tasks([*farewells, *tasks])


def _login(uri: str, options: RtcOptions) -> tuple[str | None, str | None]:
    return (options.turn_user, options.turn_password) if uri.startswith("turn") else (None, None)
