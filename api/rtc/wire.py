"""A peer as `api.conversation` reads and writes it."""

import asyncio
import json
from collections import deque
from typing import Final

from api.conversation import Gone
from api.metrics import RTC_DROPPED_S
from api.native import to_text
from api.rtc.dialect import NEVER_CAME, Heard
from api.rtc.peer import Peer
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.events import Error
from shared.redis.sessions import Numbered

ON_THE_WAY_S: Final = 0.1
"""How long a wish waits for audio that was spoken before it: packets of sound and of data overtake each
other, and sound is encoded on its way."""
WISHES_MAX: Final = 64
"""Wishes that may wait to be read."""
AUDIO_S_MAX: Final = 10.0
"""Audio that may wait while workers are behind; a microphone can't be told to wait."""
_AUDIO_BYTES_MAX: Final = round(AUDIO_S_MAX * SAMPLE_RATE) * SAMPLE_BYTES


class PeerWire:
    """Messages of one peer. `opened` becomes None when its session is there, or the error that is said
    instead of it."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[Error | None] = asyncio.get_running_loop().create_future()
        self.peer: Peer | None = None
        """To be set before anything is done."""
        self._heard: deque[bytes | str] = deque()
        self._audio_bytes = 0
        self._dropped_bytes = 0
        self._wishes = 0
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._came = True
        self._timers: set[asyncio.TimerHandle] = set()

    def put_audio(self, pcm16: bytes) -> None:
        """Canonical audio arrives. What there is no room for becomes silence when there is, so that the time
        of what follows is right."""
        if self._audio_bytes + len(pcm16) > _AUDIO_BYTES_MAX:
            self._dropped_bytes += len(pcm16)
            RTC_DROPPED_S.inc(len(pcm16) / (SAMPLE_RATE * SAMPLE_BYTES))
            return
        if self._dropped_bytes:
            silence = bytes(min(self._dropped_bytes, _AUDIO_BYTES_MAX - self._audio_bytes - len(pcm16)))
            pcm16, self._dropped_bytes = silence + pcm16, 0
        self._heard.append(pcm16)
        self._audio_bytes += len(pcm16)
        self._news.set()

    def put_wish(self, text: str) -> bool:
        """A text message of the client. Returns whether there is room for it."""
        if self._wishes >= WISHES_MAX:
            return False
        self._wishes += 1

        def settled() -> None:
            self._timers.discard(timer)
            self._heard.append(text)
            self._news.set()

        timer = asyncio.get_running_loop().call_later(ON_THE_WAY_S, settled)
        self._timers.add(timer)
        return True

    def changed(self) -> None:
        """The peer is there, or gone."""
        self._news.set()
        self._ready.set()

    def never_came(self) -> None:
        """The peer did not connect in time."""
        self._came = False
        self.changed()

    async def receive(self) -> Heard:
        """The next message; audio that waits comes as one. Cancelling loses none. Raises `Gone`."""
        while not self._heard:
            if self._never_came:
                return NEVER_CAME
            if self._is_gone:
                raise Gone
            self._news.clear()
            await self._news.wait()
        first = self._heard.popleft()
        if isinstance(first, str):
            self._wishes -= 1
            return first
        parts = [first]
        while self._heard and isinstance(more := self._heard[0], bytes):
            parts.append(more)
            self._heard.popleft()
        pcm16 = b"".join(parts)
        self._audio_bytes -= len(pcm16)
        return pcm16

    async def send(self, frame: Numbered) -> None:
        """Write an event; waits until the peer is there. Raises `Gone`."""
        seq, event = frame
        if not self.opened.done():
            refusal = event if isinstance(event, Error) else None
            self.opened.set_result(refusal)
            if refusal is not None:
                return
        await self._write(to_text(seq, event))

    async def close(self, code: int, reason: str) -> None:
        """Say how a WebSocket would have been closed, and end it. Raises `Gone`."""
        if not self.opened.done():
            self.opened.set_result(
                Error(code=reason or "unavailable", message="there is no such session now")
            )
        if self.peer is None or not self.peer.is_open.is_set():
            return
        await self._write(json.dumps({"type": "disconnect", "code": code, "reason": reason}))
        await self.peer.flush()
        self.peer.leave()

    def stop(self) -> None:
        """Nothing more comes from it, and nobody waits."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.peer = None
        if not self.opened.done():
            self.opened.set_result(Error(code="unavailable", message="the session could not be opened"))

    @property
    def _never_came(self) -> bool:
        return not self._came or (self._is_gone and self.peer is not None and not self.peer.is_open.is_set())

    @property
    def _is_gone(self) -> bool:
        return self.peer is not None and self.peer.is_gone

    async def _write(self, text: str) -> None:
        await self._ready.wait()
        if self._never_came:  # nobody reads it, and `NEVER_CAME` ends all this
            return
        if self._is_gone or self.peer is None:
            raise Gone
        await self.peer.send(text)
        if self._is_gone:
            raise Gone
