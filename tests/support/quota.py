"""Quotas as parts of a test."""

from typing import Any

from api.audit import Audit
from api.job_desk import DeskParts, JobDesk
from api.job_intake import JobIntake
from api.job_quota import JobQuota
from api.quota import LiveQuota, live_quota
from api.rates import Rates
from api.tenants import Allowance, Tenants
from shared.redis.audit import AuditStream
from shared.redis.connection import AsyncRedis
from shared.redis.keys import Keys
from shared.redis.quotas import JobUsage, Turnstile


def allowing(**bounds: Any) -> Tenants:
    """Tenants that all have the same."""
    return Tenants(base=Allowance(**bounds))


def live_bounds(client: AsyncRedis, **bounds: Any) -> tuple[LiveQuota, Rates, Audit]:
    """What a desk for live sessions needs; without bounds everything is let in."""
    keys, tenants = Keys(), allowing(**bounds)
    return (
        live_quota(tenants, client, keys, resume_s=30),
        Rates(tenants, Turnstile(client, keys)),
        Audit(AuditStream(client, length=0)),
    )


def intake(parts: DeskParts, desk: JobDesk) -> JobIntake:
    """The intake of a desk."""
    usage = JobUsage(parts.windows, parts.keys, held_s=3600)
    return JobIntake(parts, desk, JobQuota(parts.tenants, usage, desk.over))
