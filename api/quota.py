"""The place that a live session has among those of its tenant."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, NoReturn

from shared.errors import QuotaExceeded
from shared.redis.connection import ConnectionLost
from shared.redis.quotas import TenantPlaces
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

_KEEP_PART: Final = 1 / 3
"""Of the time that a place is held: it is kept that often."""


@asynccontextmanager
async def placed(
    places: TenantPlaces | None, tenant: str, session: str, *, is_over: Callable[[], bool], is_new: bool
) -> AsyncGenerator[None]:
    """Hold a place for a session while its client is here. It is given up when the session is over; one that
    waits for its client keeps it for as long. A session that is resumed is let in also beyond the bound.
    Raises `QuotaExceeded`."""
    if places is None:
        yield
        return
    if not await places.occupy(tenant, session) and is_new:
        raise QuotaExceeded(
            f"this key's sessions are at their bound of {places.limit}; end one first", retry_after_s=1.0
        )
    keeping = asyncio.create_task(_keep_forever(places, tenant, session), name="tenant-place")
    try:
        yield
    finally:
        await end_tasks([keeping])
        if is_over():
            with suppress(*ConnectionLost):
                await places.vacate(tenant, session)


async def _keep_forever(places: TenantPlaces, tenant: str, session: str) -> NoReturn:
    while True:
        await asyncio.sleep(places.held_s * _KEEP_PART)
        with suppress(*ConnectionLost):
            await places.occupy(tenant, session)
