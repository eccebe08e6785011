"""A peer of a WebRTC application, as a page would be one: it speaks a clip, and keeps what it is told."""

import asyncio
import fractions
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import numpy as np

from shared.audio.pcm import SAMPLE_BYTES
from tests.support.encodings import encoded

RATE = 48_000
PACKET_SAMPLES = 960
Offer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Peer:
    """What the other side said and played."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.heard: list[np.ndarray] = []
        """Packets of the other side's voice that were not silent."""
        self._changed = asyncio.Event()

    def took(self, message: str) -> None:
        """A message came."""
        self.messages.append(json.loads(message))
        self._changed.set()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Our events of a kind."""
        return [m["data"] for m in self.messages if m["type"] == "steno" and m["data"]["type"] == kind]

    async def until(self, holds: Callable[["Peer"], bool], limit_s: float = 60.0) -> None:
        """Wait for a fact."""
        async with asyncio.timeout(limit_s):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def listen(self, track: Any) -> None:
        """Keep what is played. Ends with the track."""
        errors = import_module("aiortc.mediastreams")
        while True:
            try:
                samples = (await track.recv()).to_ndarray()
            except errors.MediaStreamError:
                return
            if np.abs(samples).max() > 300:
                self.heard.append(samples)
                self._changed.set()


def _speaker(pcm16: bytes) -> Any:
    """A track that speaks canonical audio at the pace of speech, and is silent afterwards."""
    aiortc, av = import_module("aiortc"), import_module("av")
    data = encoded(pcm16, "pcm16", RATE, 1)

    class Speaker(aiortc.MediaStreamTrack):  # type: ignore[name-defined,misc]
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._at = 0
            self._began = 0.0

        async def recv(self) -> Any:
            loop = asyncio.get_running_loop()
            self._began = self._began or loop.time()
            await asyncio.sleep(self._began + self._at / RATE - loop.time())
            start = self._at * SAMPLE_BYTES
            packet = data[start : start + PACKET_SAMPLES * SAMPLE_BYTES].ljust(
                PACKET_SAMPLES * SAMPLE_BYTES, b"\0"
            )
            frame = av.AudioFrame.from_ndarray(np.frombuffer(packet, "<i2").reshape(1, -1), "s16", "mono")
            frame.sample_rate, frame.pts = RATE, self._at
            frame.time_base = fractions.Fraction(1, RATE)
            self._at += PACKET_SAMPLES
            return frame

    return Speaker()


@asynccontextmanager
async def calling(offer: Offer, pcm16: bytes) -> AsyncGenerator[Peer]:
    """A connection on this machine's own address. `offer` takes the peer's offer, and gives the answer."""
    aiortc, ice = import_module("aiortc"), import_module("aioice.ice")
    addresses = ice.get_host_addresses
    # aioice leaves out 127.0.0.1, and a machine may have no other address.
    ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    peer = Peer()
    listening: list[asyncio.Task[None]] = []
    connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    try:
        connection.on("track", lambda track: listening.append(asyncio.create_task(peer.listen(track))))
        connection.addTrack(_speaker(pcm16))
        connection.createDataChannel("text").on("message", peer.took)
        await connection.setLocalDescription(await connection.createOffer())
        described = connection.localDescription
        answer = await offer({"sdp": described.sdp, "type": described.type, "webrtc_id": "peer"})
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(answer["sdp"], answer["type"]))
        yield peer
    finally:
        await connection.close()
        await asyncio.gather(*listening)
        ice.get_host_addresses = addresses
