"""One live session while a connection of it is here, whatever surface that speaks.

Up to three tasks beside whoever uses it: the session's events to the outbox, a sign that the client is still
there, acknowledgements. The session itself lives in Redis, and is closed by its worker.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from api.ingest import Ingest
from api.mailbox import Mailbox
from api.metrics import REFUSED, WARNINGS
from api.quota import Meter
from api.relay import events
from api.tracing import EdgeTrace
from shared.audio.convert import AudioFormat
from shared.audio.pcm import to_samples
from shared.errors import NoCapacity, NotFound, StenoError, Unavailable
from shared.events import ACK_S, Ack, Error, Event, Ready, Warning
from shared.events import Final as FinalEvent
from shared.redis.live import Follower
from shared.redis.sessions import FIRST_CONNECTION, Attached, Numbered, SessionLog
from shared.tasks import end_tasks

_CLAIM_LOOK_S: Final = 0.05
_ABANDONED: Final = Error(code="abandoned", message="the client gave the session up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A connection and the session that it owns."""

    session: str
    token: str
    audio: AudioFormat
    attached: Attached
    after: int = 0
    """Number of the last event that the client has."""
    acks: bool = False
    """Whether events say how far audio has arrived."""
    trace: EdgeTrace | None = None


class Session:
    """One session: audio and wishes in, and an iterator of its numbered events, each once and in order.

    Iteration ends after `Closed` or `Error`, and after `abandon`. It raises what ends the connection without
    ending the session: `TakenOver`, `MustResume` when it is too slow; `Unavailable` when Redis lost the
    session, and what `shared.redis.connection.ConnectionLost` lists. So does every method. What comes behind
    the session's end is ignored.
    """

    def __init__(
        self, attachment: Attachment, log: SessionLog, *, queue_s: float, resume_s: float, meter: Meter
    ) -> None:
        self._attachment = attachment
        self._attached = attachment.attached
        self._id = attachment.session
        self._log = log
        self._queue_s = queue_s
        self._resume_s = resume_s
        self._trace = attachment.trace
        self._ingest = Ingest(
            self._id,
            attachment.audio,
            self._attached,
            log,
            on_ack=self._acked,
            meter=meter,
            trace=self._trace,
        )
        self._mailbox = Mailbox()
        self.is_settled = False
        """Whether it ends without anyone's help: it is over, or no more audio will come."""

    @property
    def last_seq(self) -> int:
        """Number of the last event that was put for the client."""
        return self._mailbox.last_seq

    async def audio(self, data: bytes) -> None:
        """The next bytes of the client's audio, any number. Waits while the workers are too far behind."""
        with contextlib.suppress(NotFound):  # closed by its worker; or gone, which `_stay` finds out
            await self._ingest.audio(data)
            if self._ingest.is_ended:  # the tenant has no audio left
                self.is_settled = True

    async def finalize(self, id: str = "") -> int:
        """Ask for the final of what was said so far. Returns which one this is: `Finalized` with that number
        and `id` answers it. Raises `BadMessage` for too many."""
        with contextlib.suppress(NotFound):
            await self._ingest.finalize(id)
        return self._ingest.finalized

    async def end(self) -> None:
        """No more audio will come. The last finals follow, then `Closed`."""
        with contextlib.suppress(NotFound):
            await self._ingest.end()
        self.is_settled = True

    async def fail(self, error: StenoError) -> None:
        """End the session with an error, which is its last event."""
        REFUSED.labels(error.code).inc()
        self._ingest.stop()
        with contextlib.suppress(NotFound):
            await self._log.fail(self._id, as_event(error), connection=self._attached.connection)
        self.is_settled = True

    async def abandon(self) -> None:
        """Give the session up: nobody wants what it has not said. Its worker is free at once."""
        self.is_settled = True
        self._mailbox.discard()
        self._ingest.stop()
        with contextlib.suppress(NotFound):
            await self._log.fail(self._id, _ABANDONED, connection=self._attached.connection)

    def break_off(self, error: Exception) -> None:
        """Let iteration raise an error."""
        self._ingest.stop()
        self._mailbox.fail(error)

    async def broken(self) -> NoReturn:
        """Wait for the error that iteration would raise, and raise it: for whoever is busy with an event."""
        await self._mailbox.failed()

    def sent(self, seq: int, event: Event) -> None:
        """Say that an event was written to the client."""
        if self._trace is not None:
            self._trace.sent(seq, event)

    def push(self, seq: int, event: Event) -> None:
        """Put an event for the client, as the session's own. Raises `MustResume`."""
        self._mailbox.push(seq, event)

    def __aiter__(self) -> AsyncIterator[Numbered]:
        return self

    async def __anext__(self) -> Numbered:
        if (item := await self._mailbox.take()) is None:
            raise StopAsyncIteration
        if isinstance(item[1], Warning):
            WARNINGS.labels(item[1].code).inc()
        return item

    @contextlib.asynccontextmanager
    async def running(self, follower: Follower) -> AsyncGenerator[None]:
        """Keep it going meanwhile."""
        task = asyncio.create_task(self._keep(follower), name=f"session-{self._id}")
        try:
            yield
        finally:
            if self._trace is not None:
                self._trace.ended(is_first=self._attached.connection == FIRST_CONNECTION)
            await end_tasks([task])

    async def _keep(self, follower: Follower) -> None:
        work = [self._relay(follower), self._stay()]
        if self._attachment.acks:
            work.append(self._ack_forever())
        try:
            await first_to_end(*work)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the session is used
            self._mailbox.fail(error)
        finally:
            self._ingest.stop()
            self._mailbox.finish()

    async def _relay(self, follower: Follower) -> None:
        """The session's events to the outbox, until the last."""
        source = events(
            follower,
            self._log,
            self._id,
            self._attached,
            after=self._attachment.after,
            room=self._mailbox.room,
        )
        async with contextlib.aclosing(source):
            async for seq, event in source:
                if self._trace is not None:
                    self._trace.heard(seq)
                await self._mailbox.turn()
                self.push(seq, self._addressed(event))
        self.is_settled = True

    def _addressed(self, event: Event) -> Event:
        if isinstance(event, FinalEvent):
            self._ingest.covered(to_samples(event.covered))
        if isinstance(event, Ready):  # the log does not hold the token
            return replace(event, token=self._attachment.token)
        return event

    async def _stay(self) -> None:
        """Give the session up when no worker takes it in time; then say again and again that the client is
        here."""
        if not await self._is_claimed_in_time():
            await self.fail(
                NoCapacity("no worker had room for the session in time", retry_after_s=self._queue_s)
            )
        try:
            while True:
                await self._log.touch_client(self._id, connection=self._attached.connection)
                await asyncio.sleep(self._resume_s / 4)
        except NotFound:
            raise Unavailable("the session was lost with the data of Redis; open a new one") from None

    async def _is_claimed_in_time(self) -> bool:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._queue_s
        while self._attached.is_open and not await self._log.is_claimed(self._id):
            if clock() > deadline:
                return False
            await asyncio.sleep(_CLAIM_LOOK_S)
        return True

    async def _ack_forever(self) -> None:
        while True:
            self._acked(self._ingest.ack())
            await asyncio.sleep(ACK_S / 2)

    def _acked(self, ack: Ack) -> None:
        if self._attachment.acks:
            self._mailbox.push_own(ack)


def as_event(error: StenoError) -> Error:
    """The message that says an error."""
    return Error(
        code=error.code, message=error.message, retryable=error.retryable, retry_after_s=error.retry_after_s
    )


async def first_to_end(*work: Coroutine[None, None, None]) -> None:
    """Run all; when the first ends, cancel the others and let its error out."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(tasks)
