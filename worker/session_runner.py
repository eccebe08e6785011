"""One session on this worker: Redis in front of the session machine, the device behind it. Decides nothing
itself."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final, NoReturn

from shared.audio.pcm import SAMPLE_RATE, to_seconds
from shared.codec import CodecError, unpack
from shared.errors import EngineFault, NotFound, Superseded
from shared.redis.connection import ConnectionLost, through_outages
from shared.redis.leases import Chunk, Claim, Item, LeaseBook, Saying
from shared.redis.sessions import Mark
from shared.redis.system import ToldSession
from shared.system import SESSION_ID_CHARS
from shared.tasks import end_tasks
from shared.traces import Traces, now_ns
from worker.core.effects import Alone, Checkpoint, Close, Decode, Dropped, Effect, Emit, SessionOptions, Vad
from worker.core.session import Session
from worker.core.writing import Rules
from worker.device import Answer, Device
from worker.lease_keeper import LeaseKeeper
from worker.metrics import AUDIO_S, LEASES_LOST, SESSIONS
from worker.quality import Quality
from worker.tracing import WorkerTrace

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


@dataclass(frozen=True, slots=True)
class _Drain:
    """The worker wants to stop."""


_Inbound = list[Item] | _Answered | _Abandoned | _Drain


class Outcome(StrEnum):
    """How a worker's part in a session ended."""

    SETTLED = "settled"
    GONE = "gone"
    """Closed by the edge, or lost with the data of Redis."""
    SUPERSEDED = "lost"
    """Another worker took it over."""
    HANDED_OVER = "handed over"
    FAILED = "failed"
    """The decoder failed on it; it was given back for another attempt."""


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """What every session of a worker is run with."""

    book: LeaseBook
    device: Device
    make_vad: Callable[[], Vad]
    options: SessionOptions
    rules: Rules
    lease_s: float
    alone_s: float
    """How long a session is kept behind the last sign of its client that was seen."""
    quality: Quality = field(default_factory=Quality)
    traces: Traces | None = None


class SessionRunner:
    """Runs one claimed session to its end, its loss to another worker, or its hand-over."""

    def __init__(self, claim: Claim, parts: RunnerParts) -> None:
        self._claim = claim
        self._parts = parts
        self._inbox: asyncio.Queue[_Inbound] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AUDIO_WAITING_MAX)
        self._writes = 0
        self._quality = parts.quality.session(claim.session, claim.committed)
        self._trace = _trace(claim, parts.traces)
        self._draining = self._failed = False
        self._lease = LeaseKeeper(claim, parts.book, lease_s=parts.lease_s, alone_s=parts.alone_s)
        self._asked: set[int] = set()
        """Decodes without an answer yet."""
        self._session = Session(
            claim.config,
            parts.make_vad(),
            options=parts.options,
            rules=parts.rules,
            committed=claim.committed,
            checkpoint=_checkpoint(claim),
        )

    def drain(self) -> None:
        """Hand the session over as soon as no utterance is open or undecided."""
        self._draining = True
        self._inbox.put_nowait(_Drain())

    @property
    def is_suspect(self) -> bool:
        """Whether this may be the session that has broken workers; until it has gone forward, or everything
        that it asked for was decoded."""
        return self._lease.is_suspect

    def told(self) -> ToldSession:
        """What may be told of the session."""
        at_rest, received = self._session.at_rest, self._session.received
        state = "away" if self._lease.is_alone else "quiet" if at_rest else "speaking"
        config = self._claim.config
        return ToldSession(
            id=self._claim.session[:SESSION_ID_CHARS],
            tenant=config.tenant,
            surface=config.surface,
            opened_s=self._claim.opened_s,
            state=state,
            audio_s=to_seconds(received),
            lag_s=self._quality.lag_s(received, speaking=config.partials and not at_rest),
        )

    def blame(self) -> None:
        """Let the hand-over to come count against the session: the device broke on it."""
        self._failed = True

    async def run(self) -> Outcome:
        """Work until the session is settled, lost, or handed over. Cancelling hands it over at once: its
        audio and checkpoint are in Redis."""
        SESSIONS.inc()
        outcome = Outcome.HANDED_OVER
        try:
            outcome = await self._run()
            return outcome
        finally:
            SESSIONS.dec()
            self._quality.ended(outcome, self._session.received)
            self._parts.device.withdraw(self._claim.session)

    async def _run(self) -> Outcome:
        try:
            return await self._first_outcome()
        except Superseded:
            LEASES_LOST.inc()
            log.info("session went to another worker", extra={"session": self._claim.session})
            with contextlib.suppress(*ConnectionLost):
                await self._parts.book.absolve(self._claim)
            return Outcome.SUPERSEDED
        except NotFound:
            log.info("session is gone", extra={"session": self._claim.session})
            return Outcome.GONE
        except EngineFault:
            await self._release(failed=True)
            return Outcome.FAILED
        except asyncio.CancelledError:
            await self._release(failed=self._failed)
            raise

    async def _first_outcome(self) -> Outcome:
        work = asyncio.create_task(self._work(), name=f"work-{self._claim.session}")
        helpers: list[asyncio.Task[Outcome]] = [
            work,
            asyncio.create_task(self._read_forever(), name=f"read-{self._claim.session}"),
            asyncio.create_task(self._keep_lease(), name=f"renew-{self._claim.session}"),
        ]
        try:
            done, _ = await asyncio.wait(helpers, return_when=asyncio.FIRST_COMPLETED)
            return (work if work in done else done.pop()).result()
        finally:
            await end_tasks(helpers)

    async def _read_forever(self) -> NoReturn:
        after = f"{self._claim.committed}-0"
        while True:
            read = partial(self._parts.book.read_audio, self._claim, after, block_ms=_READ_BLOCK_MS)
            after, items = await through_outages(read)
            if items:
                self._quality.arrived(max(i.end if isinstance(i, Chunk) else i.at for i in items))
                await self._room.acquire()
                self._inbox.put_nowait(items)

    async def _keep_lease(self) -> NoReturn:
        await self._lease.keep(
            is_busy=lambda: bool(self._asked), abandon=lambda: self._inbox.put_nowait(_Abandoned())
        )

    async def _work(self) -> Outcome:
        while True:
            for effect in self._accept(await self._inbox.get()):
                if await self._apply(effect):
                    return Outcome.SETTLED
            if self._draining and self._session.at_rest:
                await self._release()
                return Outcome.HANDED_OVER

    def _accept(self, inbound: _Inbound) -> list[Effect]:
        match inbound:
            case _Abandoned():
                return self._session.end("abandoned")
            case _Drain():
                return []
            case _Answered(ticket, answer):
                if isinstance(answer, EngineFault):
                    raise answer
                if self._trace is not None:
                    self._trace.answered(ticket, answer)
                return self._session.decoded(ticket, answer)
            case items:
                self._room.release()
                return [effect for item in items for effect in self._accept_item(item)]

    def _accept_item(self, item: Item) -> list[Effect]:
        if isinstance(item, Chunk):
            before = self._session.received
            effects = self._session.audio(item.start, item.pcm16)
            AUDIO_S.inc((self._session.received - before) / SAMPLE_RATE)
            return effects
        if item.mark is Mark.END:
            return self._session.end()
        return self._session.finalize(item.number, item.id)

    async def _apply(self, effect: Effect) -> bool:
        """Do what the machine wants. Returns whether the session is settled."""
        match effect:
            case Decode(request, ticket, lag_s):
                self._asked.add(ticket)
                if self._trace is not None:
                    self._trace.asked(ticket, request.kind)
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
                # Repeated while Redis is out of reach: the fence refuses it if it is too late by then, and
                # the count of writes if it had arrived after all.
                self._writes += 1
                saying, began_ns = Saying(events, covered, checkpoint), now_ns()
                await through_outages(lambda: self._parts.book.emit(self._claim, self._writes, saying))
                if self._trace is not None:
                    self._trace.published(events, began_ns, self._quality.age_s)
                self._quality.published(events, covered)
                if covered is not None:
                    self._lease.went_forward()
            case Dropped():
                self._quality.dropped(effect)
            case Alone():
                self._quality.alone(effect)
            case Close(event, covered):
                await through_outages(lambda: self._parts.book.settle(self._claim, [event], covered=covered))
                return True
        return False

    def _answered(self, ticket: int, answer: Answer) -> None:
        self._asked.discard(ticket)
        # The machine asks for one decode at a time, so answers can't pile up; audio is what the bound is for.
        self._inbox.put_nowait(_Answered(ticket, answer))

    async def _release(self, *, failed: bool = False) -> None:
        with contextlib.suppress(Superseded, NotFound, *ConnectionLost):
            await self._parts.book.release(self._claim, failed=failed)


def _checkpoint(claim: Claim) -> Checkpoint | None:
    if not claim.checkpoint:
        return None
    try:
        return unpack(Checkpoint, claim.checkpoint)
    except CodecError:
        log.warning("unreadable checkpoint", extra={"session": claim.session})
        return None


def _trace(claim: Claim, traces: Traces | None) -> WorkerTrace | None:
    """What records the session's traces; None where the edge or this worker makes none."""
    if traces is None or claim.config.trace is None:
        return None
    try:
        return WorkerTrace(traces, claim.config.trace, claim.session)
    except ValueError:
        log.warning("unreadable seed of traces", extra={"session": claim.session})
        return None
