"""Text while people speak: a live session for each connection."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from assistant.audio import Audio
from assistant.engine import STTEngine
from assistant.fastrtc.library import FASTRTC
from assistant.speech import Live
from client.options import StreamOptions
from shared.audio.convert import AudioFormat, StreamConverter
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, to_samples
from shared.codec import event_to_map
from shared.errors import StenoError
from shared.events import Error, Event, SpeechStart
from shared.events import Final as FinalEvent
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

EVENTS: Final = "steno"
"""`type` of the messages on the data channel that carry our events."""
REPLY: Final = "reply"
"""The same for texts that a reply yields."""
_PACKET_RATE: Final = 48_000
"""What WebRTC's Opus decodes to: at another rate FastRTC hands over 60 ms at a time instead of 20."""
_WAITING_MAX: Final = 500
"""Packets that wait for the engine, 10 s. Then audio is left out: who speaks can't be held back."""
_KEPT_SAMPLES: Final = 30 * SAMPLE_RATE
"""Audio that is kept for replies: more than the longest utterance."""
_SPOKEN_MAX: Final = 64
"""Pieces of a reply that wait to be spoken; then its author waits."""
_TAIL_S: Final = 10.0
"""How long what was said last is waited for once the peer is gone."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance that is over."""

    final: FinalEvent
    audio: Audio
    """What was said, to be played or passed on."""

    @property
    def text(self) -> str:
        """Its words."""
        return self.final.text


Reply = Callable[[Heard], AsyncIterator[Any]]
"""Yields text for the page, as `{"type": "reply", "data": TEXT}`, and what a handler of FastRTC may emit:
audio as `(rate, int16 or float array)` mostly."""


class LiveHandler(FASTRTC.AsyncStreamHandler):
    """A live session for each connection. Its events go to the page over the data channel, as
    `{"type": "steno", "data": EVENT}` with the fields of the native protocol, and to `on_event`; a reply to
    each utterance is played. Who begins to speak interrupts it."""

    def __init__(
        self,
        engine: STTEngine,
        *,
        reply: Reply | None = None,
        on_event: Callable[[Event], object] | None = None,
        options: StreamOptions | None = None,
        can_interrupt: bool = True,
    ) -> None:
        """`options` may ask for anything but another form of audio."""
        super().__init__("mono", input_sample_rate=_PACKET_RATE)
        self._engine = engine
        self._reply = reply
        self._on_event = on_event
        self._options = options
        self._can_interrupt = can_interrupt
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING_MAX)
        self._spoken: asyncio.Queue[Any] = asyncio.Queue(_SPOKEN_MAX)
        self._converter: StreamConverter | None = None
        self._kept = _Kept()
        self._lost = 0
        self._running: asyncio.Task[Any] | None = None
        self._replying: asyncio.Task[None] | None = None

    def copy(self) -> "LiveHandler":
        """One for another connection."""
        return LiveHandler(
            self._engine,
            reply=self._reply,
            on_event=self._on_event,
            options=self._options,
            can_interrupt=self._can_interrupt,
        )

    async def receive(self, frame: tuple[int, NDArray[np.int16]]) -> None:
        """The next packet."""
        rate, samples = frame
        if self._converter is None:
            self._converter = AudioFormat("pcm16", rate, 1).converter()
        pcm16 = self._converter.push(np.ascontiguousarray(samples, "<i2").tobytes())
        try:
            self._waiting.put_nowait(pcm16)
        except asyncio.QueueFull:
            if not self._lost:
                log.warning("the engine is more than 10 s behind: audio is left out")
            self._lost += 1

    async def emit(self) -> Any:
        """What is to be played next; None for nothing."""
        return await FASTRTC.wait_for_item(self._spoken)

    async def start_up(self) -> None:
        """Hear until the connection is over. Called by FastRTC once it has a data channel."""
        self._running = asyncio.current_task()
        try:
            async with self._engine.live(self._options) as session:
                sending = asyncio.create_task(self._send(session), name="send-audio")
                try:
                    async for event in session:
                        await self._hear(event)
                finally:
                    await end_tasks([sending])
            self._spoken.put_nowait(FASTRTC.CloseStream("the session is over"))
        except StenoError as error:
            log.warning("a live session failed: %s", error)
            await self._tell(Error(code=error.code, message=error.message, retryable=error.retryable))
            self._silence()
            self._spoken.put_nowait(FASTRTC.CloseStream(error.message))
        finally:
            await self._stop_replying()

    async def shutdown(self) -> None:
        """The peer is gone: what it said last is still heard."""
        if self._running is None or self._running.done():
            return
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)
        await asyncio.wait([self._running], timeout=_TAIL_S)
        await end_tasks([self._running])

    async def _send(self, session: Live) -> None:
        while (pcm16 := await self._waiting.get()) is not None:
            self._kept.add(pcm16)
            await session.send(pcm16)
        await session.end()

    async def _hear(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)
        await self._tell(event)
        if isinstance(event, SpeechStart) and self._can_interrupt:
            await self._stop_replying()
        if isinstance(event, FinalEvent) and event.text and self._reply is not None:
            await self._stop_replying()
            heard = Heard(event, (SAMPLE_RATE, self._kept.between(event.start, event.end)))
            self._replying = asyncio.create_task(self._answer(self._reply(heard)), name="reply")

    async def _answer(self, reply: AsyncIterator[Any]) -> None:
        try:
            async for item in reply:
                if isinstance(item, str):
                    await self._write(REPLY, item)
                else:
                    await self._spoken.put(item)
        except Exception:  # the application's own: the session goes on
            log.exception("a reply failed")

    async def _stop_replying(self) -> None:
        if self._replying is not None:
            await end_tasks([self._replying])
            self._replying = None
            self._silence()

    def _silence(self) -> None:
        """Forget what was not played yet, here and in FastRTC's queue."""
        while not self._spoken.empty():
            self._spoken.get_nowait()
        if self._clear_queue is not None:
            self.clear_queue()

    async def _tell(self, event: Event) -> None:
        await self._write(EVENTS, event_to_map(event))

    async def _write(self, kind: str, data: object) -> None:
        """To the page. Its channel may be closed before the last words are decoded."""
        if getattr(self.channel, "readyState", "") == "open":
            await self.send_message(json.dumps({"type": kind, "data": data}))


class _Kept:
    """The last of what was sent, by its place."""

    def __init__(self) -> None:
        self._pcm16 = bytearray()
        self._start = 0

    def add(self, pcm16: bytes) -> None:
        self._pcm16 += pcm16
        surplus = len(self._pcm16) // SAMPLE_BYTES - _KEPT_SAMPLES
        if surplus > SAMPLE_RATE:  # not at each packet: the rest has to be moved
            del self._pcm16[: surplus * SAMPLE_BYTES]
            self._start += surplus

    def between(self, start_s: float, end_s: float) -> NDArray[np.int16]:
        """What was said from and to these seconds of the session, as FastRTC plays it: [1, samples]."""
        first, last = (max(0, to_samples(s) - self._start) * SAMPLE_BYTES for s in (start_s, end_s))
        return np.frombuffer(bytes(self._pcm16[first:last]), "<i2").reshape(1, -1)
