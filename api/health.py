"""Health that tells the truth: `healthz` is the process, `readyz` is whether a session would be served now;
with `room=false` whether this edge does its part, which it does for sessions that are there and for jobs also
when no worker has room."""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.metrics import CAPACITY_FREE, OLDEST_UNSERVED_S, WORKERS
from shared.redis.connection import ConnectionLost
from shared.redis.presence import Presence, WorkerPresence

_ANSWER_S_MAX = 2.0


def health_router(presence: Presence) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`."""
    router = APIRouter(include_in_schema=False)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    async def readyz(room: bool = True) -> JSONResponse:
        workers = await _workers(presence)
        if workers is None:
            return JSONResponse({"status": "unavailable", "reason": "Redis does not answer"}, 503)
        free = sum(w.free for w in workers)
        about = {"workers": len(workers), "free": free, **_vitals(workers)}
        if not free and room:
            reason = "no worker has room" if workers else "no worker lives"
            return JSONResponse({"status": "unavailable", "reason": reason, **about}, 503)
        models = sorted({w.model for w in workers})
        return JSONResponse({"status": "ready", "models": models, **about})

    async def metrics() -> Response:
        workers = await _workers(presence) or []
        WORKERS.set(len(workers))
        CAPACITY_FREE.set(sum(w.free for w in workers))
        OLDEST_UNSERVED_S.set(max((w.oldest_unserved_s for w in workers), default=0.0))
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    router.add_api_route("/healthz", healthz)
    router.add_api_route("/readyz", readyz)
    router.add_api_route("/metrics", metrics)
    return router


def _vitals(workers: list[WorkerPresence]) -> dict[str, float | None]:
    """Of the fleet: the longest wait, the latest decode, the worst canary."""
    decoded_s = [w.decoded_s_ago for w in workers if w.decoded_s_ago is not None]
    shares = [w.canary_share for w in workers if w.canary_share is not None]
    return {
        "oldest_unserved_s": max((w.oldest_unserved_s for w in workers), default=None),
        "decoded_s_ago": min(decoded_s, default=None),
        "canary_share": min(shares, default=None),
    }


async def _workers(presence: Presence) -> list[WorkerPresence] | None:
    """The living workers; None when Redis does not answer."""
    try:
        async with asyncio.timeout(_ANSWER_S_MAX):
            return await presence.workers()
    except (TimeoutError, *ConnectionLost):
        return None
