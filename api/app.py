"""The edge, put together: routes with their collaborators, and what runs beside them. No globals."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from fastapi import FastAPI

from api import faults
from api.health import health_router
from api.job_desk import JobDesk
from api.jobs import job_router
from api.stream import StreamParts, stream_router
from shared.redis.connection import connect, connect_sync
from shared.redis.keys import Keys
from shared.redis.live import LiveFeed
from shared.redis.presence import Presence
from shared.redis.sessions import SessionLog
from shared.settings import Settings
from shared.storage import JobStorage
from shared.tasks import end_tasks


def create_app(settings: Settings) -> FastAPI:
    """The application. Connections are made when it starts and closed when it stops."""
    client, sync_client = connect(settings.redis_url), connect_sync(settings.redis_url)
    keys = Keys(settings.shards)
    presence = Presence(client)
    feed = LiveFeed(client, keys)
    parts = StreamParts(
        sessions=SessionLog(client, keys, resume_s=settings.resume_s),
        feed=feed,
        presence=presence,
        queue_s=settings.queue_s,
        resume_s=settings.resume_s,
        session_s_max=settings.session_s_max,
    )

    storage = JobStorage(settings.data_dir)
    desk = JobDesk(sync_client, keys, storage, ttl_s=settings.job_ttl_s, timeout_s=settings.job_timeout_s)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        reader = asyncio.create_task(feed.run_forever(), name="live-feed")
        try:
            yield
        finally:
            await end_tasks([reader])
            await client.aclose()
            sync_client.close()

    app = FastAPI(title="Steno", lifespan=lifespan)
    faults.install(app)
    app.include_router(health_router(presence))
    app.include_router(stream_router(parts))
    app.include_router(job_router(desk, presence, upload_bytes_max=settings.upload_bytes_max))
    return app
