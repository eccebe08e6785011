"""One WebRTC peer on the parts of aiortc: a transport, an audio track that comes in, and a data channel.

Built from aiortc's ORTC objects, not from its `RTCPeerConnection`: an offer is refused before anything is
made of it, and audio goes through `OpusReceiver`. This module and its neighbours are all that knows aiortc;
names of it that begin with an underscore are why its version is pinned to one minor release.
"""

# pyright: reportPrivateUsage=false

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiortc import RTCCertificate, RTCIceGatherer, RTCIceServer, RTCIceTransport
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceParameters, connection_kwargs
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from aiortc.sdp import candidate_from_sdp

from api.metrics import RTC_FAILED
from api.rtc.answer import MESSAGE_BYTES_MAX, SCTP_PORT, Local, write_answer
from api.rtc.offer import Offer
from api.rtc.receiver import OpusReceiver
from api.rtc.udp import SharedPortConnection, UdpPort
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

LABEL: Final = "steno"
"""Of the data channel."""
SILENT_S: Final = 15.0
"""A peer that sends nothing at all for so long is gone: one that is there asks every few seconds at the least
whether it may go on sending (RFC 7675)."""
_LOOK_S: Final = 1.0
_BUFFERED_BYTES_MAX: Final = 64 * 1024
"""What may wait in the channel: more waits in the session's outbox, where what is outdated is replaced."""
_CHANNELS_MAX: Final = 8
_FLUSH_S_MAX: Final = 3.0
_FLUSH_LOOK_S: Final = 0.02


class Peer:
    """Its life: `answer`, `connect`, then `send` until `is_gone`; `close`."""

    def __init__(
        self,
        offer: Offer,
        port: UdpPort,
        *,
        servers: Sequence[RTCIceServer],
        on_audio: Callable[[bytes], object],
        on_message: Callable[[str], bool],
        on_change: Callable[[], object],
    ) -> None:
        """`on_message` gets what comes over the data channel, and returns whether there is room for it;
        `on_change` is called when the peer is there, and when it is gone."""
        self._offer = offer
        self._port = port
        self._on_message = on_message
        self._on_change = on_change
        self._has_servers = bool(servers)
        ice_options: dict[str, Any] = connection_kwargs(list(servers))
        self._connection = SharedPortConnection(
            port,
            local_username=secrets.token_hex(8),  # tells peers of one port apart
            local_password=secrets.token_hex(16),
            **ice_options,
        )
        gatherer = RTCIceGatherer(iceServers=[])
        gatherer._connection = self._connection
        self._gatherer = gatherer
        self._ice = RTCIceTransport(gatherer)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = RTCDtlsTransport(self._ice, [self._certificate])
        self._dtls._set_role("server" if offer.setup == "active" else "client")
        self._sctp = RTCSctpTransport(self._dtls, port=SCTP_PORT)
        self._receiver = OpusReceiver(offer.payload_type, on_audio)
        self._channel: RTCDataChannel | None = None
        self._channels = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._drained = asyncio.Event()
        self.is_open = asyncio.Event()
        """The data channel is there."""
        self.is_gone = False
        """Nothing comes from it any more."""

    async def answer(self) -> str:
        """The SDP for the client. Takes as long as the servers that are asked, if there are any."""
        await self._gatherer.gather()
        local = Local(
            id=random.getrandbits(62),
            ufrag=self._connection.local_username,
            password=self._connection.local_password,
            candidates=[candidate.to_sdp() for candidate in self._connection.local_candidates],
            fingerprints=[
                (f.algorithm, f.value)
                for f in self._certificate.getFingerprints()
                if f.algorithm == "sha-256"
            ],
            is_client=self._offer.setup != "active",
        )
        return write_answer(self._offer, local)

    async def connect(self, limit_s: float) -> None:
        """Wait until the data channel is there. Raises `TimeoutError`, after `limit_s` or earlier."""
        stage = "ice"
        try:
            async with asyncio.timeout(limit_s):
                await self._take_candidates()
                remote = RTCIceParameters(
                    usernameFragment=self._offer.ufrag,
                    password=self._offer.password,
                    iceLite=self._offer.is_lite,
                )
                await self._ice.start(remote)
                stage = _reached(self._ice.state == "completed", stage, "dtls")
                prints = [RTCDtlsFingerprint(digest, value) for digest, value in self._offer.fingerprints]
                await self._dtls.start(RTCDtlsParameters(prints))
                stage = _reached(self._dtls.state == "connected", stage, "channel")
                self._dtls.on("statechange", self._look)
                self._look()
                self._receiver.listen(self._dtls)
                self._spawn(self._receiver.report_forever(self._dtls))
                self._spawn(self._watch())
                self._sctp.on("datachannel", self._take)
                await self._sctp.start(
                    RTCSctpCapabilities(self._offer.message_bytes_max), self._offer.sctp_port
                )
                await self.is_open.wait()
        except TimeoutError:
            RTC_FAILED.labels(stage).inc()
            log.info("a peer did not connect", extra={"stage": stage})
            raise

    async def send(self, text: str) -> None:
        """Write a message; waits for a client that does not take them."""
        while self._channel is not None and self._channel.bufferedAmount > _BUFFERED_BYTES_MAX:
            self._drained.clear()
            await self._drained.wait()
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(text)

    async def flush(self) -> None:
        """Wait until the client has what was sent, or for as long as that is worth."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _FLUSH_S_MAX
        while not self.is_gone and clock() < deadline:
            waiting = self._sctp._outbound_queue or self._sctp._sent_queue or self._sctp._data_channel_queue
            if not waiting:
                return
            await asyncio.sleep(_FLUSH_LOOK_S)

    def leave(self) -> None:
        """It is gone, or is to go."""
        self.is_gone = True
        self._channel = None
        self._drained.set()
        self._on_change()

    async def close(self) -> None:
        """End it, and let go of all that it had."""
        self.leave()
        self._receiver.stop()
        await end_tasks(self._tasks)
        await self._sctp.stop()
        await self._dtls.stop()
        await self._ice.stop()
        self._let_go()

    def _let_go(self) -> None:
        """Undo what makes parts hold each other: else each peer would stay until Python looks for cycles
        among all its objects."""
        self._receiver.forget(self._dtls)
        self._sctp.remove_all_listeners()
        self._dtls.remove_all_listeners()
        self._connection.let_go()

    async def _take_candidates(self) -> None:
        """Where the client says to be. Only a server behind a NAT has to send there first; else the client's
        own checks say where it is, and nobody makes this machine send to addresses of his choice."""
        if not self._has_servers:
            return
        for line in self._offer.candidates:
            try:
                candidate = candidate_from_sdp(line)
            except (ValueError, IndexError):
                continue
            if candidate.protocol.lower() == "udp" and not candidate.ip.endswith(".local"):
                await self._ice.addRemoteCandidate(candidate)

    def _take(self, channel: RTCDataChannel) -> None:
        """The client made a channel: the first one that is called so and loses nothing is it."""
        self._channels += 1
        if self._channels > _CHANNELS_MAX:
            self.leave()
        reliable = channel.ordered and channel.maxRetransmits is None and channel.maxPacketLifeTime is None
        if channel.label != LABEL or not reliable or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.bufferedAmountLowThreshold = _BUFFERED_BYTES_MAX // 2
        channel.on("message", self._heard)
        channel.on("close", self.leave)
        channel.on("bufferedamountlow", self._drained.set)
        self.is_open.set()
        self._on_change()

    def _heard(self, message: str | bytes) -> None:
        if self.is_gone:
            return
        # Audio comes as audio: bytes are answered like any other message that is not known.
        text = message if isinstance(message, str) else ""
        if len(text) > MESSAGE_BYTES_MAX or not self._on_message(text):
            self.leave()

    def _look(self) -> None:
        if self._dtls.state in ("closed", "failed"):
            self.leave()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            heard_s = self._port.heard_s(self._connection)
            if heard_s is not None and time.monotonic() - heard_s > SILENT_S:
                log.info("a peer is gone without a word")
                self.leave()
                return

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _reached(is_there: bool, before: str, after: str) -> str:
    """The next stage. Raises `TimeoutError` when this one failed."""
    if not is_there:
        raise TimeoutError(before)
    return after
