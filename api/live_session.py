"""One live session while its client is connected here.

Up to five tasks per connection: the socket's messages to Redis, the session's events to the outbox, the
outbox to the socket, acknowledgements, and a sign that the client is still there. The first that ends ends
the others; the session itself goes on in Redis, and is closed by its worker.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Final

from api.connection import Connection, as_event
from api.ingest import Ingest
from api.metrics import REFUSED
from api.params import StreamParams
from api.relay import events
from shared.audio.pcm import to_samples
from shared.errors import BadMessage, NoCapacity, NotFound, Unavailable
from shared.events import ACK_S, Ack, Event, Ready
from shared.events import Final as FinalEvent
from shared.redis.live import Follower
from shared.redis.sessions import Attached, SessionLog
from shared.tasks import end_tasks

_CLAIM_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A connection and the session that it owns."""

    session: str
    token: str
    params: StreamParams
    attached: Attached
    after: int
    """Number of the last event that the client has."""


class LiveSession:
    """Serves one connection until the session is over or the client is gone. Raises what ends the connection
    without ending the session: `TakenOver`, `MustResume`; and `Unavailable` when Redis lost the session."""

    def __init__(
        self,
        connection: Connection,
        attachment: Attachment,
        log: SessionLog,
        *,
        queue_s: float,
        resume_s: float,
    ) -> None:
        self._connection = connection
        self._attachment = attachment
        self._attached = attachment.attached
        self._session = attachment.session
        self._log = log
        self._queue_s = queue_s
        self._resume_s = resume_s
        self._ingest = Ingest(self._session, attachment.params.audio, self._attached, log, on_ack=self._acked)

    async def serve(self, follower: Follower) -> None:
        """Until it is over."""
        work = [self._receive(), self._relay(follower), self._connection.write_forever(), self._stay()]
        if self._attachment.params.acks:
            work.append(self._ack_forever())
        await _first_to_end(*work)

    async def _receive(self) -> None:
        """The socket's messages, until the client is gone. What comes behind the session's end is ignored."""
        while True:
            message = await self._connection.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                if (data := message.get("bytes")) is not None:
                    await self._ingest.audio(data)
                else:
                    await self._ingest.control(message.get("text") or "")
            except BadMessage as error:
                REFUSED.labels(error.code).inc()
                await self._fail(error)
            except NotFound:  # closed by its worker; or gone, which `_stay` finds out
                self._ingest.stop()

    async def _relay(self, follower: Follower) -> None:
        """The session's events to the client, until the last."""
        source = events(
            follower,
            self._log,
            self._session,
            self._attached,
            after=self._attachment.after,
            room=self._connection.room,
        )
        async with contextlib.aclosing(source):
            async for seq, event in source:
                await self._connection.turn()
                self._connection.push(seq, self._addressed(event))
        self._connection.finish()
        await asyncio.Event().wait()  # the writer ends when all is written

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
            error = NoCapacity("no worker had room for the session in time", retry_after_s=self._queue_s)
            REFUSED.labels(error.code).inc()
            await self._fail(error)
        try:
            while True:
                await self._log.touch_client(self._session, connection=self._attached.connection)
                await asyncio.sleep(self._resume_s / 4)
        except NotFound:
            raise Unavailable("the session was lost with the data of Redis; open a new one") from None

    async def _fail(self, error: BadMessage | NoCapacity) -> None:
        """End the session with an error. The client hears of it as of every event."""
        self._ingest.stop()
        with contextlib.suppress(NotFound):
            await self._log.fail(self._session, as_event(error), connection=self._attached.connection)

    async def _is_claimed_in_time(self) -> bool:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._queue_s
        while self._attached.is_open and not await self._log.is_claimed(self._session):
            if clock() > deadline:
                return False
            await asyncio.sleep(_CLAIM_LOOK_S)
        return True

    async def _ack_forever(self) -> None:
        while True:
            self._connection.push_own(self._ingest.ack())
            await asyncio.sleep(ACK_S / 2)

    def _acked(self, ack: Ack) -> None:
        if self._attachment.params.acks:
            self._connection.push_own(ack)


async def _first_to_end(*work: Coroutine[None, None, None]) -> None:
    """Run all; when the first ends, cancel the others and let its error out."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(tasks)
