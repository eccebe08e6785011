"""The edge, put together: routes with their collaborators, and what runs beside them. No globals."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig

from api import faults
from api.asr import asr_router, asr_shape
from api.audit import Audit, AuditTrail, audit_router
from api.auth import Doorkeeper
from api.deepgram.errors import deepgram_shape
from api.deepgram.routes import deepgram_router
from api.following import look_forever
from api.health import health_router
from api.job_desk import DeskParts, JobDesk
from api.job_eraser import JobEraser
from api.job_intake import JobIntake
from api.job_quota import JobQuota
from api.jobs import JobParts, job_router
from api.keys import Keyholder, parse_keys
from api.openai.audio import audio_router
from api.openai.errors import openai_shape
from api.openai.models import Models, models_router, parse_aliases
from api.openai_realtime.router import realtime_router
from api.openapi import describe
from api.origins import OriginCheck, parse_origins
from api.quota import live_quota
from api.rates import RateLimiter, Rates
from api.rtc.options import rtc_options
from api.rtc.router import rtc_router
from api.session_desk import LiveParts, SessionDesk
from api.sessions import session_router
from api.stream import stream_router
from api.system import Lookout, system_router
from api.tenants import Tenants, tenants_of
from api.tokens import token_router
from api.usage import usage_router
from api.web.pages import web_router
from api.webhook_sender import SenderParts, WebhookSender
from api.wyoming.catalog import Catalog
from api.wyoming.server import WyomingServer
from shared.errors import Unavailable
from shared.redis.audit import AuditStream
from shared.redis.connection import SyncRedis, connect, connect_sync, jobs_address
from shared.redis.keys import Keys
from shared.redis.live import LiveFeed
from shared.redis.presence import Presence
from shared.redis.quotas import JobUsage, Turnstile
from shared.redis.sessions import SessionLog
from shared.redis.system import Telling
from shared.settings import Settings, is_loopback
from shared.storage import JobStorage
from shared.tasks import end_tasks
from shared.traces import Traces, open_traces
from shared.webhooks import check_secret

if TYPE_CHECKING:
    from api.rtc.peers import Peers
    from api.rtc.udp import BoundAddress

log = logging.getLogger(__name__)

SHAPES: Final[faults.Shapes] = {
    "/v1/audio": openai_shape,
    "/v1/models": openai_shape,
    "/v1/realtime": openai_shape,
    "/v1/listen": deepgram_shape,
    "/asr": asr_shape,
    "/detect-language": asr_shape,
}
"""Surfaces whose errors are not written as Steno's."""


_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""FastAPI's own would record queries and what exceptions say; what is traced here is in docs/tracing.md."""


def create_app(
    settings: Settings,
    *,
    wyoming: socket.socket | None = None,
    rtc: "Sequence[BoundAddress]" = (),
    on_fault: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The application. Connections are made when it starts and closed when it stops. `wyoming` is a listening
    socket for that protocol, `rtc` are the bound ones of WebRTC. `on_fault` is called when something ended
    that has to run as long as the edge does: only a new process mends that. Raises `BadParameter` for
    settings that can't be."""
    aliases, tenants = parse_aliases(settings.model_aliases), tenants_of(settings)
    api_keys = Keyholder(
        parse_keys(settings.api_keys, settings.operators),
        settings.api_keys_file,
        operators=settings.operators,
        token_secret=settings.token_secret,
    )
    client, sync_client = connect(settings.redis_url), connect_sync(settings.redis_url)
    jobs_url = jobs_address(settings.jobs_redis_url, settings.redis_url)
    jobs_client = connect_sync(jobs_url) if jobs_url else sync_client
    keys = Keys(settings.shards)
    presence = Presence(client)
    rates = Rates(tenants, Turnstile(client, keys))
    audit = Audit(AuditStream(client, length=settings.audit_entries))
    traces = open_traces(settings, "edge")
    feed = LiveFeed(client, keys)
    live = LiveParts(
        sessions=SessionLog(client, keys, resume_s=settings.resume_s),
        feed=feed,
        presence=presence,
        queue_s=settings.queue_s,
        resume_s=settings.resume_s,
        session_s_max=settings.session_s_max,
        quota=live_quota(tenants, client, keys, resume_s=settings.resume_s),
        rates=rates,
        audit=audit,
        traces=traces,
    )

    job_parts = _job_parts(settings, tenants, presence, keys, jobs_client, sync_client, traces)
    models = Models(aliases, presence)
    sessions = SessionDesk(live)
    beside = [("live-feed", feed.run_forever), ("files", partial(look_forever, api_keys.look, tenants.look))]
    if wyoming is not None:
        server = WyomingServer(
            sessions,
            Catalog(settings.model),
            wyoming,
            host=settings.host,
            name=settings.wyoming_name,
            tenant=settings.wyoming_tenant,
        )
        beside.append(("wyoming", server.run_forever))
    peers = _peers(sessions, rtc, settings)
    if settings.webhook_secret and jobs_url:
        sender_parts = SenderParts(
            deliveries=job_parts.desk.webhook_log,
            find=job_parts.desk.find,
            key=check_secret(settings.webhook_secret),
            private=settings.webhook_private,
        )
        beside.append(("webhooks", WebhookSender(sender_parts).run_forever))

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(run(), name=name) for name, run in beside]
        for task in tasks:
            task.add_done_callback(partial(_ended, on_fault))
        try:
            async with peers.running() if peers else contextlib.nullcontext():
                yield
        finally:
            await end_tasks(tasks)
            await client.aclose()
            sync_client.close()
            jobs_client.close()
            if traces is not None:
                await asyncio.to_thread(traces.close)

    app = FastAPI(title="Steno", lifespan=lifespan, telemetry=_NO_TELEMETRY)
    faults.install(app, SHAPES)
    _guard(app, settings, api_keys, rates, audit)
    for router in (
        health_router(presence),
        web_router(),
        stream_router(sessions),
        rtc_router(sessions, peers),
        realtime_router(sessions, aliases, session_s_max=settings.session_s_max, keys=api_keys),
        token_router(api_keys),
        session_router(live.sessions, live.quota.places),
        audit_router(audit.stream),
        usage_router(live.quota, job_parts.intake.usage),
    ):
        app.include_router(router)
    app.include_router(models_router(models))
    app.include_router(
        system_router(Lookout(Telling(client, keys), presence, job_parts.desk.counts if jobs_url else None))
    )
    with_jobs = [] if jobs_url else [Depends(_refuse_jobs)]
    app.include_router(deepgram_router(sessions, job_parts, about_files=with_jobs))
    for router in (job_router(job_parts), audio_router(job_parts, models), asr_router(job_parts)):
        app.include_router(router, dependencies=with_jobs)
    describe(app)
    return app


def _peers(desk: SessionDesk, rtc: "Sequence[BoundAddress]", settings: Settings) -> "Peers | None":
    if not rtc:
        return None
    from api.rtc.peers import Peers  # needs the extra

    return Peers(desk, rtc, rtc_options(settings))


def _guard(app: FastAPI, settings: Settings, keys: Keyholder, rates: Rates, audit: Audit) -> None:
    """What stands before all routes; the last one is asked first."""
    origins = parse_origins(settings.origins, is_local=is_loopback(settings.host))
    app.add_middleware(AuditTrail, audit=audit)
    app.add_middleware(RateLimiter, rates=rates, shapes=SHAPES)
    app.add_middleware(Doorkeeper, keys=keys, shapes=SHAPES)
    app.add_middleware(OriginCheck, origins=origins, keys=keys, shapes=SHAPES)


def _job_parts(
    settings: Settings,
    tenants: Tenants,
    presence: Presence,
    keys: Keys,
    jobs_client: SyncRedis,
    sync_client: SyncRedis,
    traces: Traces | None,
) -> JobParts:
    desk_parts = DeskParts(
        client=jobs_client,
        windows=sync_client,
        keys=keys,
        storage=JobStorage(settings.jobs_url, bytes_max=settings.storage_bytes_max),
        ttl_s=settings.job_ttl_s,
        timeout_s=settings.job_timeout_s,
        waiting_max=settings.jobs_waiting_max,
        webhooks=bool(settings.webhook_secret),
        tenants=tenants,
        traces=traces,
    )
    desk = JobDesk(desk_parts)
    held_s = 2 * (settings.job_ttl_s + settings.job_timeout_s)
    job_quota = JobQuota(tenants, JobUsage(sync_client, keys, held_s=held_s), desk.over)
    return JobParts(
        intake=JobIntake(desk_parts, desk, job_quota),
        desk=desk,
        eraser=JobEraser(desk_parts, desk),
        presence=presence,
        upload_bytes_max=settings.upload_bytes_max,
        fetch_hosts=tuple(host for host in settings.fetch_hosts.split(",") if host.strip()),
    )


def _ended(on_fault: Callable[[], None], task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        log.error("the edge stops: %s ended", task.get_name(), exc_info=task.exception())
        on_fault()


def _refuse_jobs() -> None:
    raise Unavailable("file jobs are off: beside a Redis Cluster they need STENO_JOBS_REDIS_URL")
