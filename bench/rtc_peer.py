"""A WebRTC client of the service on aiortc, as a browser's would be: a track that plays what it is given, and
a data channel. For the load generator and for tests; needs the extra `rtc`."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urljoin

import aioice.ice
import av
import httpx
import numpy as np
import soxr
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack

from shared.audio.pcm import SAMPLE_RATE

RATE: Final = 48_000
FRAME: Final = 960
LABEL: Final = "steno"
WAIT_S_MAX: Final = 60.0
_LATE_S_MAX: Final = 0.1
"""Frames that are later than this come with a later clock, not all at once."""
Message = dict[str, Any]


class Microphone(MediaStreamTrack):
    """Plays canonical audio, 20 ms at a time, and nothing while there is none: silence is audio too, and is
    to be given. `speed` is how much faster than a real one."""

    kind = "audio"

    def __init__(self, *, speed: float = 1.0) -> None:
        super().__init__()
        self._speed = speed
        self._frames: asyncio.Queue[np.ndarray] = asyncio.Queue()
        self._played = 0
        self._due_s: float | None = None
        self._late_s_max = _LATE_S_MAX
        self._idle = asyncio.Event()

    def put(self, pcm16: bytes, *, at_s: float | None = None) -> None:
        """Speak this behind what is spoken; or begin at a time of the loop's clock, and keep to it."""
        if at_s is not None:
            self._due_s, self._late_s_max = at_s, math.inf
        samples = np.frombuffer(pcm16, "<i2").astype(np.float32) / 32768
        fast = soxr.resample(samples, SAMPLE_RATE, RATE) if len(samples) else samples
        fast = np.pad(fast, (0, -len(fast) % FRAME))
        for frame in (np.clip(fast, -1, 1) * 32767).astype(np.int16).reshape(-1, FRAME):
            self._frames.put_nowait(frame)
        self._idle.clear()

    async def spoken(self) -> None:
        """Wait until all is."""
        await self._idle.wait()

    async def recv(self) -> av.AudioFrame:
        """The next frame, when it is time."""
        if self._frames.empty():
            self._idle.set()
        samples = await self._frames.get()
        now_s = asyncio.get_running_loop().time()
        due_s = now_s if self._due_s is None else self._due_s
        self._due_s = due_s = max(due_s + FRAME / RATE / self._speed, now_s - self._late_s_max)
        await asyncio.sleep(max(0.0, due_s - now_s))
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._played, Fraction(1, RATE)
        self._played += FRAME
        return frame


class RtcSession:
    """One session over one peer connection. `messages` are the service's, with the time of their arrival."""

    def __init__(self, microphone: Microphone, *, label: str = LABEL, **channel: Any) -> None:
        self.microphone = microphone
        self.peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.peer.addTrack(microphone)
        self.channel: RTCDataChannel = self.peer.createDataChannel(label, **channel)
        self.messages: list[Message] = []
        self.at_s: list[float] = []
        self.location = ""
        self._news = asyncio.Event()
        self.is_open = asyncio.Event()
        self.channel.on("message", self._heard)
        self.channel.on("open", self.is_open.set)
        self.channel.on("close", self._news.set)
        self._read = 0

    def _heard(self, text: str) -> None:
        self.at_s.append(asyncio.get_running_loop().time())
        self.messages.append(json.loads(text))
        self._news.set()

    async def offer(self) -> str:
        """The SDP for the service."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return str(self.peer.localDescription.sdp)

    async def dial(
        self,
        http: httpx.AsyncClient,
        url: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send the offer, and take the answer if there is one."""
        headers = {"Content-Type": "application/sdp"} | dict(headers or {})
        answer = await http.post(url, params=dict(query), content=await self.offer(), headers=headers)
        if answer.status_code == 201:
            self.location = urljoin(url, answer.headers["location"])
            await self.peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        return answer

    def say(self, kind: str, **fields: str) -> None:
        """Send a wish."""
        self.channel.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str) -> Message:
        """The next message of a kind among those that were not looked at."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                while self._read < len(self.messages):
                    self._read += 1
                    if self.messages[self._read - 1]["type"] == kind:
                        return self.messages[self._read - 1]
                self._news.clear()
                await self._news.wait()

    def of(self, kind: str) -> list[Message]:
        """Messages of a kind so far."""
        return [message for message in self.messages if message["type"] == kind]

    @property
    def transcript(self) -> str:
        """The finals joined by their offsets."""
        text = ""
        for final in self.of("final"):
            text = text.ljust(final["offset"])[: final["offset"]] + final["text"]
        return text


@asynccontextmanager
async def rtc_session(
    url: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    speed: float = 1.0,
) -> AsyncGenerator[RtcSession]:
    """A session that is open; `url` is that of `/v1/rtc`."""
    session = RtcSession(Microphone(speed=speed))
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await session.dial(http, url, query or {}, headers)
        if answer.status_code != 201:
            raise ConnectionError(f"{answer.status_code} {answer.text}")
        async with asyncio.timeout(WAIT_S_MAX):
            await session.is_open.wait()
        yield session
    finally:
        await session.peer.close()


def use_loopback() -> None:
    """Let peers of this process use this machine's own address alone: aioice leaves it out."""

    def own(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["127.0.0.1"]

    aioice.ice.get_host_addresses = own
