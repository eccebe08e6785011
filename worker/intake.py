"""Where a worker's work comes from: sessions while it has room, windows of files while nothing live waits."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Final, NoReturn

from shared.audio.pcm import pcm16_to_float
from shared.errors import EngineFault
from shared.redis.connection import ConnectionLost, through_outages
from shared.redis.leases import Claim, LeaseBook, Load, SetAside
from shared.redis.windows import ATTEMPTS_MAX, WindowClaim, WindowResult, WindowSource
from worker.core.decode import DecodeRequest, Kind
from worker.core.segments import to_segments
from worker.device import Device
from worker.metrics import SET_ASIDE, TAKEOVERS, WINDOWS
from worker.session_runner import Outcome, RunnerParts, SessionRunner

log = logging.getLogger(__name__)

_BLOCK_MS: Final = 250
"""How long one read waits: also how often sessions of dead workers are looked for. With the lease it makes
the longest time until a dead worker is followed."""
_AFTER_FAILURE_S: Final = 1.0
"""Pause after a session on which the decoder failed: meanwhile another worker may take it."""


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
    """Claims work for one worker. Cancel the takers, then `drain` to give sessions back at their endpoints,
    or `hand_over` to give them back at once."""

    def __init__(self, parts: IntakeParts) -> None:
        self._parts = parts
        self._sessions: dict[asyncio.Task[Outcome], tuple[Claim, SessionRunner]] = {}
        self._room = asyncio.Semaphore(parts.capacity)
        self._pause = 0
        """Sessions that failed here, a moment ago."""
        self._decoding: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> int:
        """Live sessions."""
        return len(self._sessions)

    async def take_sessions_forever(self, shard: int) -> NoReturn:
        """Claim sessions of a shard, as many as there is room for."""
        while True:
            await self._room.acquire()
            claim = None
            try:
                claim = await self._next_session(shard)
            finally:
                if claim is None:
                    self._room.release()
            if claim is not None:
                self._start(claim)

    async def _next_session(self, shard: int) -> Claim | None:
        while self._pause:
            self._pause -= 1
            await asyncio.sleep(_AFTER_FAILURE_S)
        suspects = sum(runner.is_suspect for _, runner in self._sessions.values())
        load = Load(self.active, self._parts.capacity, suspects)
        claim = await through_outages(
            lambda: self._parts.book.next_session(shard, block_ms=_BLOCK_MS, load=load)
        )
        if isinstance(claim, SetAside):
            SET_ASIDE.inc()
            log.error(
                "session set aside: it broke one worker after another", extra={"session": claim.session}
            )
            return None
        return claim

    async def take_windows_forever(self, shard: int, *, urgent: bool = False) -> NoReturn:
        """Claim windows of files, one at a time for each decode that the device runs at once. Urgent ones are
        claimed beside the others: else they would wait for these to be decoded."""
        windows = self._parts.windows
        while True:
            claim = await through_outages(
                lambda: windows.next_window(shard, block_ms=_BLOCK_MS, urgent=urgent)
            )
            if claim is not None:
                work = asyncio.create_task(self._decode_window(claim), name=f"window-{claim.entry}")
                self._decoding.add(work)
                work.add_done_callback(self._decoding.discard)
                await asyncio.shield(work)

    async def drain(self) -> None:
        """Wait until every session was given back at its next endpoint, and every window was decoded."""
        for _, runner in self._sessions.values():
            runner.drain()
        if waits := [*self._sessions, *self._decoding]:
            await asyncio.wait(waits)

    async def hand_over(self, *, failed: frozenset[str] = frozenset()) -> None:
        """Give all back: other workers go on at once. Sessions in `failed` are given back as ones that broke
        this worker."""
        for claim, runner in self._sessions.values():
            if claim.session in failed:
                runner.blame()
        for task in (*self._sessions, *self._decoding):
            task.cancel()
        await asyncio.gather(*self._sessions, *self._decoding, return_exceptions=True)

    def _start(self, claim: Claim) -> None:
        if claim.fence > 1:
            TAKEOVERS.inc()
        log.info("session claimed", extra={"session": claim.session, "fence": claim.fence})
        runner = SessionRunner(claim, self._parts.runner)
        task = asyncio.create_task(runner.run(), name=f"session-{claim.session}")
        self._sessions[task] = claim, runner
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        claim, _ = self._sessions.pop(task)
        self._room.release()
        if task.cancelled():
            return
        if error := task.exception():
            # Not settled: the lease ends, and another attempt is made, here or elsewhere.
            log.error("session broke", exc_info=error, extra={"session": claim.session})
        elif task.result() is Outcome.FAILED:
            self._pause = 1
            log.warning("session given back after a failed decode", extra={"session": claim.session})

    async def _decode_window(self, claim: WindowClaim) -> None:
        try:
            await self._settle_window(claim)
        except asyncio.CancelledError:
            with contextlib.suppress(*ConnectionLost):
                await self._parts.windows.release(claim)
            raise

    async def _settle_window(self, claim: WindowClaim) -> None:
        window = claim.window
        if await through_outages(lambda: self._parts.windows.is_cancelled(window.job)):
            WINDOWS.labels("cancelled").inc()
            await through_outages(lambda: self._parts.windows.settle(claim, None))
            return
        result = await self._window_result(claim)
        if result is not None:
            WINDOWS.labels("failed" if result.error else "decoded").inc()
            await through_outages(lambda: self._parts.windows.settle(claim, result))

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
            tokens=window.tokens,
            temperature=window.temperature,
            languages=window.languages,
        )
        try:
            heard = await self._parts.device.decode(
                f"{window.job}/{window.number}", request, tenant=window.tenant, urgent=claim.urgent
            )
        except EngineFault as fault:
            if claim.attempts < ATTEMPTS_MAX:
                return None
            return WindowResult(number=window.number, language="", error=str(fault))
        segments = to_segments(
            heard, offset_s=window.start, duration_s=request.duration_s, words=window.words
        )
        return WindowResult(number=window.number, language=heard.language, segments=segments)
