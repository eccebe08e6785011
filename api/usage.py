"""`GET /v1/usage`: what the caller's tenant may have, and has used of it."""

from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from api.auth import tenant_of
from api.quota import LiveQuota
from shared.codec import to_map
from shared.redis.quotas import JobUsage


def usage_router(quota: LiveQuota, jobs: JobUsage) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["keys"])

    @router.get("/v1/usage")
    async def usage(request: Request) -> dict[str, Any]:
        """Bounds (0: none) and what counts against them: audio in ms, jobs and bytes of this day and month of
        UTC, and the jobs that wait or run. What has no bound is not counted."""
        tenant = tenant_of(request)
        allowance = quota.tenants.of(tenant)
        used: dict[str, int] = await quota.usage.read(tenant)
        if allowance.jobs or allowance.stored_bytes:
            held = await run_sync(jobs.held, tenant)
            used |= {"jobs": len(held), "stored_bytes": sum(held.values())}
        return {"tenant": tenant, "bounds": to_map(allowance), "used": used}

    return router
