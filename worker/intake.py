"""Where a worker's work comes from: sessions while it has room, windows of files while nothing live waits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from shared.audio.pcm import pcm16_to_float
from shared.errors import EngineFault
from shared.redis.connection import ConnectionLost
from shared.redis.leases import Claim, LeaseBook
from shared.redis.windows import ATTEMPTS_MAX, WindowClaim, WindowResult, WindowSource
from worker.core.decode import DecodeRequest, Kind
from worker.core.segments import to_segments
from worker.device import Device
from worker.metrics import TAKEOVERS, WINDOWS
from worker.session_runner import RunnerParts, SessionRunner

log = logging.getLogger(__name__)

_BLOCK_MS: Final = 500
"""How long one read waits: also how often sessions of dead workers are looked for, well within a lease."""
_OUTAGE_S: Final = 0.25
"""Pause between attempts to reach Redis."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What intake is made of."""

    book: LeaseBook
    windows: WindowSource
    device: Device
    runner: RunnerParts
    capacity: int
    """Live sessions at once."""


class Intake:
    """Claims work for one worker. `drain` stops the claiming; `hand_over` gives sessions back."""

    def __init__(self, parts: IntakeParts) -> None:
        self._parts = parts
        self._sessions: dict[asyncio.Task[None], Claim] = {}
        self._room = asyncio.Semaphore(parts.capacity)

    @property
    def active(self) -> int:
        """Live sessions."""
        return len(self._sessions)

    async def take_sessions_forever(self, shard: int) -> None:
        """Claim sessions of a shard, as many as there is room for."""
        while True:
            await self._room.acquire()
            claim = None
            try:
                claim = await _through_outages(
                    lambda: self._parts.book.next_session(shard, block_ms=_BLOCK_MS)
                )
            finally:
                if claim is None:
                    self._room.release()
            if claim is not None:
                self._start(claim)

    async def take_windows_forever(self, shard: int) -> None:
        """Claim windows of files, one at a time for each decode that the device runs at once."""
        while True:
            claim = await _through_outages(lambda: self._parts.windows.next_window(shard, block_ms=_BLOCK_MS))
            if claim is not None:
                await self._decode_window(claim)

    async def hand_over(self) -> None:
        """Give all sessions back: other workers go on with them at once."""
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def _start(self, claim: Claim) -> None:
        if claim.attempts > 1:
            TAKEOVERS.inc()
        log.info("session claimed", extra={"session": claim.session, "fence": claim.fence})
        runner = SessionRunner(claim, self._parts.runner)
        task = asyncio.create_task(runner.run(), name=f"session-{claim.session}")
        self._sessions[task] = claim
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claim = self._sessions.pop(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()):
            # Not settled: the lease ends, and another attempt is made, here or elsewhere.
            log.error("session broke", exc_info=error, extra={"session": claim.session})

    async def _decode_window(self, claim: WindowClaim) -> None:
        window = claim.window
        if await _through_outages(lambda: self._parts.windows.is_cancelled(window.job)):
            WINDOWS.labels("cancelled").inc()
            await _through_outages(lambda: self._parts.windows.settle(claim, None))
            return
        result = await self._window_result(claim)
        if result is not None:
            WINDOWS.labels("failed" if result.error else "decoded").inc()
            await _through_outages(lambda: self._parts.windows.settle(claim, result))

    async def _window_result(self, claim: WindowClaim) -> WindowResult | None:
        """Decode a window; None when it is left for another attempt."""
        window = claim.window
        audio = pcm16_to_float(window.pcm16)
        request = DecodeRequest(
            kind=Kind.FILE,
            audio=audio,
            language="" if window.language == "auto" else window.language,
            task=window.task,
            prompt=window.prompt,
            hotwords=window.hotwords,
            words=True,
        )
        try:
            heard = await self._parts.device.decode(f"{window.job}/{window.number}", request)
        except EngineFault as fault:
            if claim.attempts < ATTEMPTS_MAX:
                return None
            return WindowResult(number=window.number, language="", error=str(fault))
        segments = to_segments(
            heard, offset_s=window.start, duration_s=request.duration_s, words=window.words
        )
        return WindowResult(number=window.number, language=heard.language, segments=segments)


async def _through_outages(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call until Redis answers."""
    while True:
        try:
            return await call()
        except ConnectionLost:
            log.warning("Redis is out of reach")
            await asyncio.sleep(_OUTAGE_S)
