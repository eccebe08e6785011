"""The native live protocol: `WS /v1/stream`. docs/protocol.md is its reference.

A connection opens a session, or takes one over that another connection began (docs/adr/0005-resume.md). All
that a session is lies in Redis, so that any edge process serves any connection of it.
"""

import logging
import secrets
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter, WebSocket

from api.admission import admit
from api.auth import chosen_subprotocol, tenant_of
from api.connection import Connection, is_about_connection
from api.faults import response
from api.live_session import Attachment, LiveSession
from api.metrics import CUT_OFF, REFUSED, RESUMED, SESSIONS, SESSIONS_OPENED, TAKEN_OVER
from api.params import StreamParams, check_against_workers, parse_stream_params
from api.resuming import ResumeAsked, check_against_session, parse_resume
from shared.errors import BrokerLost, NoCapacity, NotFound, StenoError, TakenOver
from shared.events import Limits, Ready, Resumed
from shared.redis.connection import ConnectionLost
from shared.redis.live import Follower, LiveFeed
from shared.redis.presence import Presence, WorkerPresence
from shared.redis.sessions import NEW, SessionLog

log = logging.getLogger(__name__)

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Two minutes of 16 kHz pcm16. The server refuses a longer message with close code 1009 before it is in
memory."""
_SESSION_ID_CHARS: Final = 32
_READY_SEQ: Final = 1
_BROKER_RETRY_S: Final = 2.0


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
    door = _Door(parts)
    router.add_api_websocket_route("/v1/stream", door.stream)
    router.add_api_websocket_route("/stream", door.stream)
    return router


class _Door:
    """Lets connections in."""

    def __init__(self, parts: StreamParts) -> None:
        self._parts = parts

    async def stream(self, socket: WebSocket) -> None:
        """Serve one connection."""
        refusal = await self._refusal(socket)
        if refusal and "origin" not in socket.headers:
            # Programs read the answer to their upgrade; a browser hides it from the page, and gets a message.
            REFUSED.labels(refusal.code).inc()
            await socket.send_denial_response(response(refusal))
            return
        await socket.accept(chosen_subprotocol(socket.scope.get("subprotocols") or []))
        connection = Connection(socket)
        try:
            if refusal:
                raise refusal
            await self._serve(connection)
        except StenoError as error:
            await _ended(connection, error)
        except ConnectionLost:
            await connection.refuse(_broker_lost())

    async def _refusal(self, socket: WebSocket) -> NoCapacity | None:
        """Why a new session would not be served; None when it may be, and for one that is resumed."""
        parts = self._parts
        if "session" in socket.query_params:
            return None
        try:
            workers, waiting = await parts.presence.workers(), await parts.sessions.waiting()
            admit(workers, waiting, retry_after_s=parts.queue_s)
        except NoCapacity as error:
            return error
        except ConnectionLost:
            return None  # said as a message, like every failure of Redis
        return None

    async def _serve(self, connection: Connection) -> None:
        query = connection.socket.query_params
        asked = parse_resume(query)
        opening = self._resume(connection, asked) if asked else self._open(connection)
        async with opening as (attachment, follower):
            live = LiveSession(
                connection,
                attachment,
                self._parts.sessions,
                queue_s=self._parts.queue_s,
                resume_s=self._parts.resume_s,
            )
            with SESSIONS.track_inprogress():
                await live.serve(follower)
        await connection.close()

    @asynccontextmanager
    async def _open(self, connection: Connection) -> AsyncGenerator[tuple[Attachment, Follower]]:
        """A new session, and this connection its first."""
        parts = self._parts
        params = parse_stream_params(connection.socket.query_params)
        params = replace(params, config=replace(params.config, tenant=tenant_of(connection.socket)))
        workers = await parts.presence.workers()
        check_against_workers(params.config, workers)
        session, token = uuid.uuid4().hex, secrets.token_urlsafe(24)
        ready = self._ready(session, "", params, workers)
        async with parts.feed.follow(session) as follower:
            await parts.sessions.open(session, token, params.config, ready, audio=params.audio)
            log.info("session opened", extra={"session": session})
            SESSIONS_OPENED.inc()
            yield (
                Attachment(session=session, token=token, params=params, attached=NEW, after=0),
                follower,
            )

    @asynccontextmanager
    async def _resume(
        self, connection: Connection, asked: ResumeAsked
    ) -> AsyncGenerator[tuple[Attachment, Follower]]:
        """The session that the client comes back to, and this connection its newest. Raises `NotFound` and
        `BadParameter`; the session is then as it was."""
        sessions, session = self._parts.sessions, asked.session
        if len(session) != _SESSION_ID_CHARS or not session.isalnum() or not session.isascii():
            raise NotFound("no such session, or the token is not its")
        kept = await sessions.look(session, asked.token)
        if kept.config.tenant != tenant_of(connection.socket):
            raise NotFound("no such session, or the token is not its")
        params = check_against_session(connection.socket.query_params, asked, kept)
        async with self._parts.feed.follow(session) as follower:
            attached = await sessions.attach(session)
            log.info("session resumed", extra={"session": session, "connection": attached.connection})
            RESUMED.inc()
            resumed = Resumed(
                sample=params.audio.restart(attached.received).sample,
                finalized=attached.finalized,
                ended=attached.ended or not attached.is_open,
            )
            after = max(asked.after, _READY_SEQ)
            workers = await self._parts.presence.workers()
            connection.push(after, self._ready(session, asked.token, params, workers, resumed))
            yield (
                Attachment(session=session, token=asked.token, params=params, attached=attached, after=after),
                follower,
            )

    def _ready(
        self,
        session: str,
        token: str,
        params: StreamParams,
        workers: list[WorkerPresence],
        resumed: Resumed | None = None,
    ) -> Ready:
        parts = self._parts
        limits = Limits(
            message_bytes_max=MESSAGE_BYTES_MAX, session_s_max=parts.session_s_max, resume_s=parts.resume_s
        )
        model = params.config.model or next((w.model for w in workers), "")
        return Ready(session=session, token=token, model=model, limits=limits, resumed=resumed)


async def _ended(connection: Connection, error: StenoError) -> None:
    """Tell the client why its connection ends."""
    if isinstance(error, TakenOver):
        TAKEN_OVER.inc()
    elif is_about_connection(error):
        CUT_OFF.inc()
    if is_about_connection(error):
        await connection.close(error)
    else:
        await connection.refuse(error)


def _broker_lost() -> BrokerLost:
    return BrokerLost("the service can't reach its queue", retry_after_s=_BROKER_RETRY_S)
