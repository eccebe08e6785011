"""One connection of a live surface: does what its dialect asks for.

A task reads the client, and one for each session takes its events. Whoever of them gets acts from the dialect
does them: frames are written at once and in the order in which the dialect gave them, so that a client that
does not read stops its own events and its own messages, and nothing piles up but in the sessions' outboxes.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from api.dialect import Abandon, Act, Audio, Close, Dialect, End, F, Fail, Finalize, Open, Resume, Send
from api.faults import CLOSE
from api.live_session import Session, as_event, first_to_end
from api.metrics import CUT_OFF, REFUSED, TAKEN_OVER
from api.relay import is_last
from api.session_desk import SessionDesk
from shared.errors import BadMessage, BrokerLost, MustResume, StenoError, TakenOver
from shared.redis.connection import ConnectionLost
from shared.tasks import end_tasks

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
F_contra = TypeVar("F_contra", contravariant=True)

LAST_WORD_S: Final = 5.0
"""How long the last frames and a close may wait for a client that does not read; it is cut off then."""
_IN_A_ROW: Final = 16
"""Messages of one client before others have their turn."""
_BROKER_RETRY_S: Final = 2.0
_CLOSE_OK: Final = 1000


class Gone(Exception):
    """The client is gone, or was sent away."""


class Wire(Protocol[M_co, F_contra]):
    """A client's connection."""

    async def receive(self) -> M_co:
        """The next message. Cancelling loses none. Raises `Gone`."""
        ...

    async def send(self, frame: F_contra) -> None:
        """Write a frame; waits for a client that does not read. Raises `Gone`."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close it. Raises `Gone`."""
        ...


async def converse(wire: Wire[M, F], dialect: Dialect[M, F], desk: SessionDesk) -> None:
    """Serve a connection until it is closed or the client is gone."""
    await _Conversation(wire, dialect, desk).run()


def broker_lost() -> BrokerLost:
    """What a client is told when Redis can't be reached."""
    return BrokerLost("the service can't reach its queue", retry_after_s=_BROKER_RETRY_S)


class _Conversation(Generic[M, F]):
    def __init__(self, wire: Wire[M, F], dialect: Dialect[M, F], desk: SessionDesk) -> None:
        self._wire = wire
        self._dialect = dialect
        self._desk = desk
        self._sessions: dict[int, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self._over = asyncio.Event()
        self._bug: BaseException | None = None

    async def run(self) -> None:
        self._spawn(self._read())
        try:
            await self._over.wait()
        finally:
            await end_tasks(self._tasks)
        if self._bug:
            raise self._bug

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, Gone):
            self._bug = self._bug or error
        self._over.set()

    async def _read(self) -> None:
        await self._do(self._dialect.begin())
        for number in itertools.count():
            if number % _IN_A_ROW == 0:
                # Messages that are there already are taken without a pause: a flood would keep all others of
                # this process waiting.
                await asyncio.sleep(0)
            try:
                message = await self._next()
            except TimeoutError:
                await self._do(self._dialect.idle())
            else:
                await self._do(self._dialect.received(message))

    async def _next(self) -> M:
        """The next message. Raises `TimeoutError` when the client is silent for too long."""
        if (idle_s := self._dialect.idle_s) is None:  # the most frequent wait of all: it sets no timer
            return await self._wire.receive()
        async with asyncio.timeout(idle_s):
            return await self._wire.receive()

    async def _serve(self, asked: Open | Resume, is_there: asyncio.Event) -> None:
        """One session from its opening to its end. Its errors are said as its last event."""
        key, last_seq = asked.key, 0
        try:
            async with self._opening(asked) as session:
                self._sessions[key] = session
                is_there.set()
                try:
                    await first_to_end(self._pump(asked, session), session.broken())
                finally:
                    last_seq = session.last_seq
                    self._sessions.pop(key, None)
        except StenoError as error:
            await self._failed(key, last_seq, error)
        except ConnectionLost:
            await self._failed(key, last_seq, broker_lost())
        finally:
            is_there.set()

    def _opening(self, asked: Open | Resume) -> contextlib.AbstractAsyncContextManager[Session]:
        if isinstance(asked, Open):
            return self._desk.open(asked, surface=self._dialect.surface)
        return self._desk.resume(asked, surface=self._dialect.surface)

    async def _pump(self, asked: Open | Resume, session: Session) -> None:
        is_over = False
        async for seq, event in session:
            is_over = is_last(event)
            await self._do(self._dialect.said(asked.key, seq, event))
            session.sent(seq, event)
        if isinstance(asked, Resume) and not is_over:  # the client had its last event already
            await self._close(_CLOSE_OK, "")

    async def _failed(self, key: int, last_seq: int, error: StenoError) -> None:
        _count(error)
        try:
            async with asyncio.timeout(LAST_WORD_S):
                await self._do(self._dialect.said(key, last_seq + 1, as_event(error)))
        except TimeoutError:
            await self._close(CLOSE.get(error.code, 1011), error.code)

    async def _do(self, acts: Sequence[Act[F]]) -> None:
        # No await stands between the dialect's answer and the wait for the lock, which is fair: frames keep
        # their order.
        frames = [act.frame for act in acts if isinstance(act, Send)]
        if frames:
            async with self._writing:
                for frame in frames:
                    await self._wire.send(frame)
        for act in acts:
            match act:
                case Send():
                    pass
                case Open() | Resume():
                    is_there = asyncio.Event()
                    self._spawn(self._serve(act, is_there))
                    await is_there.wait()
                case Close(code, reason):
                    await self._close(code, reason)
                case _:
                    await self._tell(act)

    async def _tell(self, act: Audio | Finalize | End | Abandon | Fail) -> None:
        session = self._sessions.get(act.key)
        if session is None:
            return
        try:
            match act:
                case Audio(_, data):
                    await session.audio(data)
                case Finalize(_, id):
                    await session.finalize(id)
                case End():
                    await session.end()
                case Abandon():
                    await session.abandon()
                case Fail(_, error):
                    await session.fail(error)
        except BadMessage as error:
            await session.fail(error)
        except (StenoError, *ConnectionLost) as error:
            session.break_off(error)

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(TimeoutError, Gone):
            async with asyncio.timeout(LAST_WORD_S), self._writing:
                await self._wire.close(code, reason)
        self._over.set()


def _count(error: StenoError) -> None:
    match error:
        case TakenOver():
            TAKEN_OVER.inc()
        case MustResume():
            CUT_OFF.inc()
        case _:
            REFUSED.labels(error.code).inc()
