"""From the client's socket to Redis: audio converted and appended in its place, wishes marked behind it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, cast

from api.metrics import LAGGING
from shared.audio.convert import AudioFormat
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadMessage
from shared.events import Ack, Warning
from shared.redis.sessions import Attached, Mark, SessionLog

CONTROLS: Final = ("finalize", "end", "keepalive")
_CHUNK_BYTES_MAX: Final = SAMPLE_RATE * SAMPLE_BYTES
"""One second: what is longer is cut, so that a worker starts on the first second of a burst at once."""
LAG_HIGH_S: Final = 60.0
"""Undecided audio above which the edge stops reading the socket; above the longest utterance and its wait."""
LAG_LOW_S: Final = 45.0
"""Undecided audio below which it goes on. Well above the longest utterance too: without more audio, an open
utterance is never decided."""
_LAG_LOOK_S: Final = 0.1
_ACK_SAMPLES: Final = 2 * SAMPLE_RATE


class Ingest:
    """One connection's audio on its way in. Every method raises `NotFound` when the session is closed, and
    `TakenOver` and `MustResume` when it is to go on on another connection."""

    def __init__(
        self,
        session: str,
        audio: AudioFormat,
        attached: Attached,
        log: SessionLog,
        *,
        on_ack: Callable[[Ack], object],
    ) -> None:
        """`on_ack` is called about every two seconds of audio."""
        self._session = session
        self._connection = attached.connection
        self._log = log
        self._audio = audio
        self._on_ack = on_ack
        self._converter = audio.converter()
        self._position = self._acked = attached.received
        self._repeated = attached.received - audio.restart(attached.received).canonical
        """Canonical samples that come a second time: the converter needs them, Redis has them."""
        self._finalized = attached.finalized
        self._covered = 0
        self._ended = attached.ended or not attached.is_open

    def covered(self, sample: int) -> None:
        """A final said that all before `sample` is decided."""
        self._covered = max(self._covered, sample)

    def ack(self) -> Ack:
        """How far audio has come."""
        return Ack(sample=self._audio.restart(self._position).sample, finalized=self._finalized)

    def stop(self) -> None:
        """Ignore everything from now on: the session is over."""
        self._ended = True

    async def audio(self, data: bytes) -> None:
        """Take a binary message. Waits while the workers are too far behind: the client's TCP window
        closes."""
        if not self._ended:
            await self._append(self._converter.push(data))

    async def control(self, text: str) -> None:
        """Take a text message. Raises `BadMessage`."""
        kind = _control(text)
        if self._ended:
            return
        if kind == "finalize":
            self._finalized += 1
            await self._mark(Mark.FINALIZE)
        elif kind == "end":
            self._ended = True
            await self._finish()

    async def _finish(self) -> None:
        rest = self._converter.rest_bytes
        await self._append(self._converter.flush())
        if rest:
            message = (
                f"the audio ended with {rest} bytes that are no whole sample; check encoding and channels"
            )
            await self._warn(Warning(code="audio_misaligned", message=message))
        await self._mark(Mark.END)

    async def _append(self, pcm16: bytes) -> None:
        pcm16 = self._without_repeated(pcm16)
        for begin in range(0, len(pcm16), _CHUNK_BYTES_MAX):
            await self._wait_for_room()
            chunk = pcm16[begin : begin + _CHUNK_BYTES_MAX]
            await self._log.append(self._session, self._position, chunk, connection=self._connection)
            self._position += len(chunk) // SAMPLE_BYTES
            if self._position - self._acked >= _ACK_SAMPLES:
                self._acked = self._position
                self._on_ack(self.ack())

    def _without_repeated(self, pcm16: bytes) -> bytes:
        skipped = min(self._repeated, len(pcm16) // SAMPLE_BYTES)
        self._repeated -= skipped
        return pcm16[skipped * SAMPLE_BYTES :]

    async def _mark(self, mark: Mark) -> None:
        await self._log.mark(
            self._session, self._position, mark, connection=self._connection, finalized=self._finalized
        )

    async def _warn(self, warning: Warning) -> None:
        await self._log.warn(self._session, warning, connection=self._connection)

    async def _wait_for_room(self) -> None:
        if not await self._is_behind(LAG_HIGH_S):
            return
        message = (
            f"more than {LAG_HIGH_S:g} s of audio wait to be decoded; no more is read until they are fewer"
        )
        await self._warn(Warning(code="lagging", message=message))
        with LAGGING.track_inprogress():
            while await self._is_behind(LAG_LOW_S):  # noqa: ASYNC110 - a worker changes it
                await asyncio.sleep(_LAG_LOOK_S)

    async def _is_behind(self, mark_s: float) -> bool:
        if self._position - self._covered <= mark_s * SAMPLE_RATE:
            return False
        # Silence is covered without an event, so the log is asked, not only the events.
        self.covered(await self._log.covered(self._session))
        return self._position - self._covered > mark_s * SAMPLE_RATE


def _control(text: str) -> str:
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("text messages are JSON; audio goes in binary messages") from None
    kind = cast(dict[str, Any], message).get("type") if isinstance(message, dict) else None
    if kind not in CONTROLS:
        raise BadMessage(f"unknown message; a text message is a JSON object with type {', '.join(CONTROLS)}")
    return str(kind)
