"""From the client's socket to Redis: audio converted and appended in its place, wishes marked behind it."""

import asyncio
from collections.abc import Callable
from typing import Final

from api.metrics import LAGGING, QUOTA_ENDED
from api.quota import Meter
from api.tracing import EdgeTrace
from shared.audio.convert import AudioFormat
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadMessage
from shared.events import Ack, Warning
from shared.redis.sessions import Attached, Mark, SessionLog
from shared.traces import now_ns

_CHUNK_BYTES_MAX: Final = SAMPLE_RATE * SAMPLE_BYTES
"""One second: what is longer is cut, so that a worker starts on the first second of a burst at once."""
LAG_HIGH_S: Final = 60.0
"""Undecided audio above which the edge stops reading the socket; above the longest utterance and its wait."""
LAG_LOW_S: Final = 45.0
"""Undecided audio below which it goes on. Well above the longest utterance too: without more audio, an open
utterance is never decided."""
_LAG_LOOK_S: Final = 0.1
_ACK_SAMPLES: Final = 2 * SAMPLE_RATE
_FINALIZES_MAX: Final = 1000
_FINALIZES_PER_S: Final = 10
"""Wishes are kept and answered one by one, so there is a bound to them."""


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
        meter: Meter,
        trace: EdgeTrace | None = None,
    ) -> None:
        """`on_ack` is called about every two seconds of audio; `meter` says how much the tenant may send."""
        self._session = session
        self._connection = attached.connection
        self._log = log
        self._audio = audio
        self._on_ack = on_ack
        self._meter = meter
        self._trace = trace
        self._converter = audio.converter()
        self._position = self._acked = attached.received
        self._repeated = attached.received - audio.restart(attached.received).canonical
        """Canonical samples that come a second time: the converter needs them, Redis has them."""
        self.finalized = attached.finalized
        """How many `finalize` there were."""
        self._covered = 0
        self._ended = attached.ended or not attached.is_open
        self._stopped = False

    def covered(self, sample: int) -> None:
        """A final said that all before `sample` is decided."""
        self._covered = max(self._covered, sample)

    def ack(self) -> Ack:
        """How far audio has come."""
        return Ack(sample=self._audio.restart(self._position).sample, finalized=self.finalized)

    @property
    def is_ended(self) -> bool:
        """Whether no more audio will come."""
        return self._ended

    def stop(self) -> None:
        """Ignore everything from now on: the session is over. Nobody waits for room in it any more."""
        self._ended = self._stopped = True
        self._on_ack = _to_nobody  # whoever heard them holds this, and would wait for the collector of cycles

    async def audio(self, data: bytes) -> None:
        """Take a binary message. Waits while the workers are too far behind: the client's TCP window
        closes."""
        if not self._ended and not await self._append(self._converter.push(data)):
            await self._end_at_quota()

    async def finalize(self, id: str = "") -> None:
        """Take the wish for the final of what was said so far. Raises `BadMessage` for too many."""
        if self._ended:
            return
        self.finalized += 1
        if self.finalized > _FINALIZES_MAX + _FINALIZES_PER_S * self._position // SAMPLE_RATE:
            raise BadMessage(f"more than {_FINALIZES_MAX} finalize, and {_FINALIZES_PER_S} a second of audio")
        await self._mark(Mark.FINALIZE, id)

    async def end(self) -> None:
        """No more audio will come."""
        if not self._ended:
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

    async def _end_at_quota(self) -> None:
        """What came so far is decided; nothing more is taken."""
        self._ended = True
        QUOTA_ENDED.inc()
        message = f"{self._meter.exceeded().message}; the session ends here"
        await self._warn(Warning(code="quota_exceeded", message=message))
        await self._mark(Mark.END)

    async def _append(self, pcm16: bytes) -> bool:
        """Append what the tenant may send of it. Returns whether that was all."""
        pcm16 = self._without_repeated(pcm16)
        for begin in range(0, len(pcm16), _CHUNK_BYTES_MAX):
            await self._wait_for_room()
            chunk = pcm16[begin : begin + _CHUNK_BYTES_MAX]
            end = self._position + len(chunk) // SAMPLE_BYTES
            may_end = await self._meter.reach(end)
            chunk = chunk[: (may_end - self._position) * SAMPLE_BYTES]
            if not chunk:
                return False
            began_ns = now_ns()
            await self._log.append(self._session, self._position, chunk, connection=self._connection)
            self._position += len(chunk) // SAMPLE_BYTES
            if self._trace is not None:
                self._trace.appended(self._position, began_ns)
            if self._position - self._acked >= _ACK_SAMPLES:
                self._acked = self._position
                self._on_ack(self.ack())
            if may_end < end:
                return False
        return True

    def _without_repeated(self, pcm16: bytes) -> bytes:
        skipped = min(self._repeated, len(pcm16) // SAMPLE_BYTES)
        self._repeated -= skipped
        return pcm16[skipped * SAMPLE_BYTES :]

    async def _mark(self, mark: Mark, id: str = "") -> None:
        await self._log.mark(
            self._session, self._position, mark, connection=self._connection, finalized=self.finalized, id=id
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
        if self._stopped or self._position - self._covered <= mark_s * SAMPLE_RATE:
            return False
        # Silence is covered without an event, so the log is asked, not only the events.
        self.covered(await self._log.covered(self._session))
        return self._position - self._covered > mark_s * SAMPLE_RATE


def _to_nobody(_ack: Ack) -> None:
    """Nobody hears it."""
