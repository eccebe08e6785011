"""Where every live surface gets its sessions: admission, the check against what workers can do, and whatever
a session needs while its client is here.

    async with desk.open(config, audio, surface="…") as session:
        await session.audio(data)              # from one task
        async for seq, event in session: ...   # in another
"""

import logging
import secrets
import uuid
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from api.admission import admit
from api.audit import Audit
from api.dialect import Open, Resume
from api.live_session import Attachment, Session
from api.metrics import RESUMED, SESSIONS, SESSIONS_OPENED
from api.params import check_against_workers
from api.quota import LiveQuota, Meter
from api.rates import Rates
from api.tracing import EdgeTrace
from shared.errors import BadParameter, NotFound, StenoError
from shared.events import Limits, Ready, Resumed, SessionConfig, check_redact
from shared.redis.connection import ConnectionLost
from shared.redis.live import LiveFeed
from shared.redis.presence import Presence, WorkerPresence
from shared.redis.sessions import NEW, Kept, SessionLog
from shared.traces import Traces

log = logging.getLogger(__name__)

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of the native protocol: two minutes of 16 kHz pcm16."""
_SESSION_ID_CHARS: Final = 32
_READY_SEQ: Final = 1


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What live sessions are served with."""

    sessions: SessionLog
    feed: LiveFeed
    presence: Presence
    queue_s: float
    resume_s: float
    session_s_max: float
    quota: LiveQuota
    """What bounds the sessions of a tenant, and their audio."""
    rates: Rates
    """What bounds its requests."""
    audit: Audit
    """Who opened and resumed what."""
    traces: Traces | None = None


class SessionDesk:
    """Opens sessions, and takes over those that other connections began. What `ConnectionLost` lists comes
    out of every method when Redis can't be reached."""

    def __init__(self, parts: LiveParts) -> None:
        self._parts = parts

    async def workers(self) -> list[WorkerPresence]:
        """The living workers: what models and languages are served."""
        return await self._parts.presence.workers()

    async def check_room(self) -> None:
        """Raises `NoCapacity` when a new session would not be served."""
        await self._admit(await self.workers())

    async def look(self, session: str, token: str) -> Kept:
        """The session that a client comes back to. Raises `NotFound`."""
        if len(session) != _SESSION_ID_CHARS or not session.isalnum() or not session.isascii():
            raise NotFound("no such session, or the token is not its")
        return await self._parts.sessions.look(session, token)

    @asynccontextmanager
    async def open(self, asked: Open, *, surface: str) -> AsyncGenerator[Session]:
        """A new session, and this connection its first. Leaving the block abandons it, unless it has ended or
        is resumable. Raises `BadParameter`, `NoCapacity` and `QuotaExceeded`."""
        parts = self._parts
        workers = await self.workers()
        asked.audio.converter()  # knows the bounds
        _check_text(asked.config)
        check_against_workers(asked.config, workers)
        tenant = asked.config.tenant
        if not asked.is_counted:
            await parts.rates.count(tenant)
        if not asked.is_admitted:
            await self._admit(workers)
        name, token = uuid.uuid4().hex, secrets.token_urlsafe(24)
        ready = self._ready(name, "", asked.config.model, workers)
        allowance = parts.quota.tenants.of(tenant)
        config = replace(
            asked.config,
            surface=surface,
            redact=check_redact(",".join((*asked.config.redact, *allowance.redact))),
            trace=parts.traces and parts.traces.seed(),
        )
        attachment = Attachment(
            session=name,
            token=token,
            audio=asked.audio,
            attached=NEW,
            acks=asked.acks,
            trace=self._trace(config, name, surface),
        )
        meter = parts.quota.meter(tenant)
        session = self._session(attachment, meter)
        place = self._placed(config, session, name, is_new=True)
        async with place, meter.running(is_new=True), parts.feed.follow(name) as follower:
            await parts.sessions.open(
                name, token, config, ready, audio=asked.audio, kept_s=allowance.session_ttl_s
            )
            await parts.audit.session(tenant, "open", name, surface)
            log.info("session opened", extra={"session": name, "surface": surface})
            SESSIONS_OPENED.labels(surface).inc()
            with SESSIONS.labels(surface).track_inprogress():
                try:
                    async with session.running(follower):
                        yield session
                finally:
                    if not (asked.is_resumable or session.is_settled):
                        with suppress(StenoError, *ConnectionLost):
                            await session.abandon()

    @asynccontextmanager
    async def resume(self, asked: Resume, *, surface: str) -> AsyncGenerator[Session]:
        """The session that the client comes back to, and this connection its newest. Raises `NotFound`."""
        parts, name = self._parts, asked.session
        async with parts.feed.follow(name) as follower:
            attached = await parts.sessions.attach(name)
            log.info("session resumed", extra={"session": name, "connection": attached.connection})
            RESUMED.inc()
            await parts.audit.session(asked.config.tenant, "resume", name, surface)
            resumed = Resumed(
                sample=asked.audio.restart(attached.received).sample,
                finalized=attached.finalized,
                ended=attached.ended or not attached.is_open,
            )
            after = max(asked.after, _READY_SEQ)
            attachment = Attachment(
                session=name,
                token=asked.token,
                audio=asked.audio,
                attached=attached,
                after=after,
                acks=asked.acks,
                trace=self._trace(asked.config, name, surface),
            )
            meter = parts.quota.meter(asked.config.tenant, attached.received)
            session = self._session(attachment, meter)
            session.push(
                after, self._ready(name, asked.token, asked.config.model, await self.workers(), resumed)
            )
            place = self._placed(asked.config, session, name, is_new=False)
            with SESSIONS.labels(surface).track_inprogress():
                async with place, meter.running(is_new=False), session.running(follower):
                    yield session

    def _placed(
        self, config: SessionConfig, session: Session, name: str, *, is_new: bool
    ) -> AbstractAsyncContextManager[None]:
        return self._parts.quota.placed(
            config.tenant, name, is_over=lambda: session.is_settled, is_new=is_new
        )

    def _trace(self, config: SessionConfig, session: str, surface: str) -> EdgeTrace | None:
        traces = self._parts.traces
        return EdgeTrace(traces, config.trace, session, surface) if traces and config.trace else None

    def _session(self, attachment: Attachment, meter: Meter) -> Session:
        parts = self._parts
        return Session(
            attachment, parts.sessions, queue_s=parts.queue_s, resume_s=parts.resume_s, meter=meter
        )

    async def _admit(self, workers: list[WorkerPresence]) -> None:
        waiting = await self._parts.sessions.waiting()
        admit(workers, waiting, retry_after_s=self._parts.queue_s)

    def _ready(
        self,
        session: str,
        token: str,
        model: str,
        workers: list[WorkerPresence],
        resumed: Resumed | None = None,
    ) -> Ready:
        parts = self._parts
        limits = Limits(
            message_bytes_max=MESSAGE_BYTES_MAX, session_s_max=parts.session_s_max, resume_s=parts.resume_s
        )
        model = model or next((worker.model for worker in workers), "")
        return Ready(session=session, token=token, model=model, limits=limits, resumed=resumed)


def _check_text(config: SessionConfig) -> None:
    """JSON can name half a character, which no other text can hold."""
    for name in ("prompt", "hotwords", "model", "language"):
        try:
            str(getattr(config, name)).encode()
        except UnicodeEncodeError:
            raise BadParameter(f"{name} is no text that can be written in UTF-8") from None
