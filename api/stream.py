"""The native live protocol: `WS /v1/stream`. docs/protocol.md is its reference.

Three tasks per connection: the socket's messages to Redis, the session's events to the socket, and a sign
that the client is still there. The first that ends ends the others; the session itself goes on in Redis,
and is closed by its worker.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from api.faults import CLOSE
from api.ingest import Ingest
from api.metrics import REFUSED, SESSIONS, SESSIONS_OPENED
from api.params import StreamParams, check_against_workers, parse_stream_params
from api.relay import events
from shared.audio.pcm import to_samples
from shared.codec import event_to_map
from shared.errors import BadMessage, BrokerLost, NoCapacity, NotFound, StenoError, Unavailable
from shared.events import Closed, Error, Event, Final, Limits, Ready
from shared.redis.connection import ConnectionLost
from shared.redis.live import Follower, LiveFeed
from shared.redis.presence import Presence
from shared.redis.sessions import SessionLog

log = logging.getLogger(__name__)

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""Two minutes of 16 kHz pcm16. The server refuses a longer message with close code 1009 before it is in
memory."""
_CLOSE_OK = 1000
_CLAIM_LOOK_S = 0.05
_LAST_EVENT_S = 5.0
"""How long the last event of a closed session may take to come through; longer than `relay` waits to look
into the log."""


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What live sessions are served with."""

    sessions: SessionLog
    feed: LiveFeed
    presence: Presence
    queue_s: float
    resume_s: float
    session_s_max: float


def stream_router(parts: StreamParts) -> APIRouter:
    """The routes of the native live protocol."""
    router = APIRouter()

    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        connection = _Connection(socket)
        try:
            params = parse_stream_params(socket.query_params)
            workers = await parts.presence.workers()
            check_against_workers(params.config, workers)
            model = params.config.model or next((w.model for w in workers), "")
            await _LiveSession(connection, params, parts).serve(model)
        except StenoError as error:
            await connection.refuse(error)
        except ConnectionLost:
            await connection.refuse(BrokerLost("the service can't reach its queue", retry_after_s=2.0))

    router.add_api_websocket_route("/v1/stream", stream)
    router.add_api_websocket_route("/stream", stream)
    return router


class _Connection:
    """One client's socket: events out, with their numbers. A client that is gone is no error."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._last = 0

    async def send(self, seq: int, event: Event) -> None:
        """Send an event; the last one closes the socket with the code that belongs to it."""
        self._last = seq
        message = event_to_map(event)
        text = json.dumps({"type": message.pop("type"), "seq": seq, **message}, ensure_ascii=False)
        # RuntimeError is what Starlette raises for a socket that was closed meanwhile.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(text)
            if isinstance(event, Closed):
                await self.socket.close(_CLOSE_OK)
            elif isinstance(event, Error):
                await self.socket.close(CLOSE.get(event.code, 1011), event.code)

    async def refuse(self, error: StenoError) -> None:
        """Say an error that is not in the session's log, because there is none or it can't be reached."""
        REFUSED.labels(error.code).inc()
        await self.send(self._last + 1, as_event(error))


def as_event(error: StenoError) -> Error:
    """The message that says an error."""
    return Error(
        code=error.code, message=error.message, retryable=error.retryable, retry_after_s=error.retry_after_s
    )


class _LiveSession:
    """One session while its client is connected here."""

    def __init__(self, connection: _Connection, params: StreamParams, parts: StreamParts) -> None:
        self._connection = connection
        self._params = params
        self._parts = parts
        self._session = uuid.uuid4().hex
        self._ingest = Ingest(self._session, params, parts.sessions)

    async def serve(self, model: str) -> None:
        """Open the session and serve it until it is over or the client is gone. `model` is what will
        likely decode."""
        parts = self._parts
        limits = Limits(
            message_bytes_max=MESSAGE_BYTES_MAX, session_s_max=parts.session_s_max, resume_s=parts.resume_s
        )
        token = secrets.token_urlsafe(24)
        config = self._params.config
        ready = Ready(session=self._session, token=token, model=model, limits=limits)
        async with parts.feed.follow(self._session) as follower:
            await parts.sessions.open(self._session, token, config, ready)
            log.info("session opened", extra={"session": self._session})
            SESSIONS_OPENED.inc()
            with SESSIONS.track_inprogress():
                await _first_to_end(self._receive(), self._send(follower), self._stay())

    async def _receive(self) -> None:
        """The socket's messages, until the client is gone. What comes behind `end` is ignored."""
        try:
            while True:
                message = await self._connection.socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if (data := message.get("bytes")) is not None:
                    await self._ingest.audio(data)
                else:
                    await self._ingest.control(message.get("text") or "")
        except BadMessage as error:
            REFUSED.labels(error.code).inc()
            await self._parts.sessions.fail(self._session, as_event(error))
        except NotFound:
            pass  # closed by its worker, or failed by us
        await asyncio.sleep(_LAST_EVENT_S)  # meanwhile the last event reaches the client, and ends this
        raise Unavailable("the session was lost with the data of Redis; open a new one")

    async def _send(self, follower: Follower) -> None:
        """The session's events until the last."""
        source = events(follower, self._parts.sessions, self._session)
        async with contextlib.aclosing(source):
            async for seq, event in source:
                if isinstance(event, Final):
                    self._ingest.covered(to_samples(event.covered))
                await self._connection.send(seq, event)

    async def _stay(self) -> None:
        """Give the session up when no worker takes it in time; then say again and again that the client is
        here."""
        sessions, parts = self._parts.sessions, self._parts
        if not await self._is_claimed_in_time():
            error = NoCapacity("no worker had room for the session in time", retry_after_s=parts.queue_s)
            REFUSED.labels(error.code).inc()
            with contextlib.suppress(NotFound):
                await sessions.fail(self._session, as_event(error))
        while True:
            await sessions.touch_client(self._session)
            await asyncio.sleep(parts.resume_s / 4)

    async def _is_claimed_in_time(self) -> bool:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._parts.queue_s
        while not await self._parts.sessions.is_claimed(self._session):
            if clock() > deadline:
                return False
            await asyncio.sleep(_CLAIM_LOOK_S)
        return True


async def _first_to_end(*work: Coroutine[None, None, None]) -> None:
    """Run all; when the first ends, cancel the others and let its error out."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
