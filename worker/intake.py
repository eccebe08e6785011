"""Where a worker's sessions come from: it claims them while it has room. Windows of files: `file_windows`."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, NoReturn

from shared.redis.connection import through_outages
from shared.redis.leases import Claim, LeaseBook, Load, SetAside
from shared.redis.system import ToldSession
from worker.metrics import SET_ASIDE, TAKEOVERS
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

    @property
    def active(self) -> int:
        """Live sessions."""
        return len(self._sessions)

    def told(self) -> list[ToldSession]:
        """What may be told of them."""
        return [runner.told() for _, runner in self._sessions.values()]

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

    async def drain(self) -> None:
        """Wait until every session was given back at its next endpoint."""
        for _, runner in self._sessions.values():
            runner.drain()
        if self._sessions:
            await asyncio.wait(self._sessions)

    async def hand_over(self, *, failed: frozenset[str] = frozenset()) -> None:
        """Give all back: other workers go on at once. Sessions in `failed` are given back as ones that broke
        this worker."""
        for claim, runner in self._sessions.values():
            if claim.session in failed:
                runner.blame()
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

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
