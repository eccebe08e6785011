"""What takes a peer's RTP packets from aiortc: they are put in order, decoded, and reported on (RFC 3550).

aiortc has a receiver of its own, which holds four packets (80 ms) back for all that come, a third of a second
for one that is lost, and has a thread for each peer.
"""

# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Final

from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import AnyRtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSrPacket, RtpPacket

from api.metrics import RTC_LOST
from api.rtc.playout import RATE, Packet, Piece, Playout
from api.rtc.speech import SpeechDecoder

_REPORT_S: Final = 1.0


class OpusReceiver:
    """One peer's audio; `on_audio` gets it canonical, in order and in time."""

    def __init__(self, payload_type: int, on_audio: Callable[[bytes], object]) -> None:
        self._payload_type = payload_type
        self._on_audio = on_audio
        self._playout = Playout()
        self._decoder = SpeechDecoder()
        self._timer: asyncio.TimerHandle | None = None
        self._lost = 0
        self._statistics: tuple[int, StreamStatistics] | None = None
        self._sender_report: tuple[int, float] = 0, 0.0
        """The middle of the time that the last one told, and when it came."""

    def listen(self, transport: RTCDtlsTransport) -> None:
        """Take the packets of a transport."""
        codec = RTCRtpCodecParameters(
            mimeType="audio/opus", clockRate=RATE, channels=2, payloadType=self._payload_type
        )
        transport._register_rtp_receiver(self, RTCRtpReceiveParameters(codecs=[codec]))

    def forget(self, transport: RTCDtlsTransport) -> None:
        """Undo `listen`."""
        transport._unregister_rtp_receiver(self)

    async def report_forever(self, transport: RTCDtlsTransport) -> None:
        """Tell the sender what arrives: it adapts to that."""
        ssrc = random.getrandbits(32)
        while True:
            await asyncio.sleep(
                _REPORT_S * random.uniform(0.5, 1.5)
            )  # as RFC 3550 asks, so that none coincide
            if self._statistics is not None:
                packet = RtcpRrPacket(ssrc=ssrc, reports=[self._about(*self._statistics)])
                with contextlib.suppress(ConnectionError):
                    await transport._send_rtp(bytes(packet))

    def stop(self) -> None:
        """No more audio is wanted."""
        self._on_audio = _to_nobody
        if self._timer is not None:
            self._timer.cancel()

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.payload_type != self._payload_type:
            return
        if self._statistics is None or self._statistics[0] != packet.ssrc:
            self._statistics = packet.ssrc, StreamStatistics(RATE)
        self._statistics[1].add(packet)
        received = Packet(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload)
        self._play(self._playout.push(received, time.monotonic()))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            middle = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
            self._sender_report = middle, time.monotonic()

    def _handle_disconnect(self) -> None:
        self.stop()

    def _play(self, pieces: list[Piece]) -> None:
        RTC_LOST.inc(self._playout.lost - self._lost)
        self._lost = self._playout.lost
        if pieces and (pcm16 := self._decoder.push(pieces)):
            self._on_audio(pcm16)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (due_s := self._playout.due_s) is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, due_s - time.monotonic()), self._play_due)

    def _play_due(self) -> None:
        self._play(self._playout.due(time.monotonic()))

    def _about(self, ssrc: int, statistics: StreamStatistics) -> RtcpReceiverInfo:
        middle, at_s = self._sender_report
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=statistics.fraction_lost,
            packets_lost=statistics.packets_lost,
            highest_sequence=(statistics.cycles + (statistics.max_seq or 0)) & 0xFFFFFFFF,
            jitter=statistics.jitter & 0xFFFFFFFF,
            lsr=middle,
            dlsr=round(min(time.monotonic() - at_s, 65_535) * 65_536) & 0xFFFFFFFF if middle else 0,
        )


def _to_nobody(_pcm16: bytes) -> None:
    """Nobody hears it."""
