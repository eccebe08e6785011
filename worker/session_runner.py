"""One session on this worker: Redis in front of the session machine, the device behind it. Decides nothing
itself."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from shared.codec import CodecError, unpack
from shared.errors import EngineFault, NotFound, StenoError, Superseded
from shared.events import Error
from shared.redis.connection import ConnectionLost
from shared.redis.leases import Chunk, Claim, Item, LeaseBook, Saying
from shared.redis.sessions import Mark
from worker.core.effects import Checkpoint, Close, Decode, Dropped, Effect, Emit, SessionOptions, Vad
from worker.core.session import Session
from worker.core.writing import Rules
from worker.device import Answer, Device
from worker.metrics import AUDIO_S, LEASES_LOST, SESSIONS
from worker.quality import Quality

log = logging.getLogger(__name__)

_READ_BLOCK_MS: Final = 1000
_AUDIO_WAITING_MAX: Final = 8
"""Reads of audio that wait for the machine; at this many, reading from Redis pauses."""


@dataclass(frozen=True, slots=True)
class _Answered:
    ticket: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Abandoned:
    """No edge holds the client any more."""


_Inbound = list[Item] | _Answered | _Abandoned


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """What every session of a worker is run with."""

    book: LeaseBook
    device: Device
    make_vad: Callable[[], Vad]
    options: SessionOptions
    rules: Rules
    lease_s: float
    quality: Quality = field(default_factory=Quality)


class SessionRunner:
    """Runs one claimed session to its end, its loss to another worker, or its hand-over."""

    def __init__(self, claim: Claim, parts: RunnerParts) -> None:
        self._claim = claim
        self._parts = parts
        self._inbox: asyncio.Queue[_Inbound] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AUDIO_WAITING_MAX)
        self._writes = 0
        self._quality = parts.quality.session(claim.session, claim.committed)
        self._session = Session(
            claim.config,
            parts.make_vad(),
            options=parts.options,
            rules=parts.rules,
            committed=claim.committed,
            checkpoint=_checkpoint(claim),
        )

    async def run(self) -> None:
        """Work until the session is settled. Cancelling hands it over: its audio and checkpoint are in
        Redis."""
        SESSIONS.inc()
        outcome = "settled"
        helpers = [
            asyncio.create_task(self._read_forever(), name=f"read-{self._claim.session}"),
            asyncio.create_task(self._renew_forever(), name=f"renew-{self._claim.session}"),
            asyncio.create_task(self._work(), name=f"work-{self._claim.session}"),
        ]
        try:
            done, _ = await asyncio.wait(helpers, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Superseded:
            outcome = "lost"
            LEASES_LOST.inc()
            log.info("session went to another worker", extra={"session": self._claim.session})
        except NotFound:
            outcome = "gone"
            log.info("session is gone", extra={"session": self._claim.session})
        except EngineFault as fault:
            outcome = "failed"
            await self._fail(fault)
        except asyncio.CancelledError:
            outcome = "handed over"
            await self._hand_over()
            raise
        finally:
            SESSIONS.dec()
            self._quality.ended(outcome, self._session.received)
            self._parts.device.withdraw(self._claim.session)
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _read_forever(self) -> None:
        after = f"{self._claim.committed}-0"
        while True:
            try:
                after, items = await self._parts.book.read_audio(self._claim, after, block_ms=_READ_BLOCK_MS)
            except ConnectionLost:
                await asyncio.sleep(self._parts.lease_s / 4)
                continue
            if items:
                self._quality.arrived(max(i.end if isinstance(i, Chunk) else i.at for i in items))
                await self._room.acquire()
                self._inbox.put_nowait(items)

    async def _renew_forever(self) -> None:
        """Keep the lease. A renewal that can't reach Redis is tried again: the lease may still be ours
        when it answers."""
        while True:
            await asyncio.sleep(self._parts.lease_s / 4)
            with contextlib.suppress(*ConnectionLost):
                if not await self._parts.book.renew(self._claim):
                    self._inbox.put_nowait(_Abandoned())

    async def _work(self) -> None:
        while True:
            for effect in self._accept(await self._inbox.get()):
                if await self._apply(effect):
                    return

    def _accept(self, inbound: _Inbound) -> list[Effect]:
        match inbound:
            case _Abandoned():
                return self._session.end("abandoned")
            case _Answered(ticket, answer):
                if isinstance(answer, EngineFault):
                    raise answer
                return self._session.decoded(ticket, answer)
            case items:
                self._room.release()
                return [effect for item in items for effect in self._accept_item(item)]

    def _accept_item(self, item: Item) -> list[Effect]:
        if isinstance(item, Chunk):
            before = self._session.received
            effects = self._session.audio(item.start, item.pcm16)
            AUDIO_S.inc((self._session.received - before) / 16000)
            return effects
        return self._session.end() if item.mark is Mark.END else self._session.finalize()

    async def _apply(self, effect: Effect) -> bool:
        """Do what the machine wants. Returns whether the session is settled."""
        match effect:
            case Decode(request, ticket, lag_s):
                self._parts.device.offer(
                    self._claim.session,
                    ticket,
                    request,
                    lambda answer: self._answered(ticket, answer),
                    lambda: self._session.newest(ticket),
                    lag_s=lag_s,
                    tenant=self._claim.config.tenant,
                )
            case Emit(events, covered, checkpoint):
                self._writes += 1
                saying = Saying(events, covered, checkpoint)
                await self._patiently(lambda: self._parts.book.emit(self._claim, self._writes, saying))
                self._quality.published(events, covered)
            case Dropped():
                self._quality.dropped(effect)
            case Close(event, covered):
                await self._patiently(lambda: self._parts.book.settle(self._claim, [event], covered=covered))
                return True
        return False

    def _answered(self, ticket: int, answer: Answer) -> None:
        # The machine asks for one decode at a time, so answers can't pile up; audio is what the bound is for.
        self._inbox.put_nowait(_Answered(ticket, answer))

    async def _patiently(self, write: Callable[[], Awaitable[object]]) -> None:
        """Repeat a write that can't reach Redis. The fence refuses it if it is too late by then, and the
        count of writes if it had arrived after all."""
        while True:
            try:
                await write()
            except ConnectionLost:
                log.warning("Redis is out of reach", extra={"session": self._claim.session})
                await asyncio.sleep(self._parts.lease_s / 4)
            else:
                return

    async def _fail(self, error: StenoError) -> None:
        """End the session with its error event; finals said so far stay."""
        event = Error(code=error.code, message=error.message, retryable=error.retryable)
        with contextlib.suppress(Superseded, NotFound, *ConnectionLost):
            await self._parts.book.settle(self._claim, [event], covered=self._session.covered)

    async def _hand_over(self) -> None:
        with contextlib.suppress(Superseded, NotFound, *ConnectionLost):
            await self._parts.book.release(self._claim)


def _checkpoint(claim: Claim) -> Checkpoint | None:
    if not claim.checkpoint:
        return None
    try:
        return unpack(Checkpoint, claim.checkpoint)
    except CodecError:
        log.warning("unreadable checkpoint", extra={"session": claim.session})
        return None
