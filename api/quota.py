"""What a live session takes of its tenant's allowance: a place among its sessions, and its audio."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, NoReturn

from api.tenants import Tenants
from shared.audio.pcm import SAMPLE_RATE
from shared.errors import QuotaExceeded
from shared.redis.connection import AsyncRedis, ConnectionLost
from shared.redis.keys import Keys
from shared.redis.quotas import (
    DAY_AUDIO,
    MONTH_AUDIO,
    TenantPlaces,
    Usage,
    day_ends_in_s,
    month_ends_in_s,
)
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

MINUTE_MS: Final = 60_000
_KEEP_PART: Final = 1 / 3
"""Of the time that a place is held: it is kept that often."""
_PLACE_SPARE_S: Final = 15.0
_SLICE_MS: Final = 10_000
"""Audio that is spent at once: one command to Redis for so much of it."""
_SAMPLES_PER_MS: Final = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True)
class LiveQuota:
    """What bounds the live sessions of tenants."""

    tenants: Tenants
    places: TenantPlaces
    usage: Usage

    @asynccontextmanager
    async def placed(
        self, tenant: str, session: str, *, is_over: Callable[[], bool], is_new: bool
    ) -> AsyncGenerator[None]:
        """Hold a place for a session while its client is here. It is given up when the session is over; one
        that waits for its client keeps it for as long. A session that is resumed is let in also beyond the
        bound. Raises `QuotaExceeded`."""
        limit = self.tenants.of(tenant).sessions
        if not limit:
            yield
            return
        if not await self.places.occupy(tenant, session, limit) and is_new:
            raise QuotaExceeded(
                f"this key's sessions are at their bound of {limit}; end one first", retry_after_s=1.0
            )
        keeping = asyncio.create_task(self._keep_forever(tenant, session, limit), name="tenant-place")
        try:
            yield
        finally:
            await end_tasks([keeping])
            if is_over():
                with suppress(*ConnectionLost):
                    await self.places.vacate(tenant, session)

    def meter(self, tenant: str, from_sample: int = 0) -> "Meter":
        """Of a session whose audio up to `from_sample` is spent already."""
        return Meter(self, tenant, from_sample)

    async def _keep_forever(self, tenant: str, session: str, limit: int) -> NoReturn:
        while True:
            await asyncio.sleep(self.places.held_s * _KEEP_PART)
            with suppress(*ConnectionLost):
                await self.places.occupy(tenant, session, limit)


class Meter:
    """The audio of one session, spent in slices before it is taken, so that all sessions of a tenant together
    never have more than it may."""

    def __init__(self, quota: LiveQuota, tenant: str, from_sample: int = 0) -> None:
        self._quota = quota
        self._tenant = tenant
        self._granted = from_sample
        self._used = from_sample
        self._full = ""

    @asynccontextmanager
    async def running(self, *, is_new: bool) -> AsyncGenerator[None]:
        """What was spent and not used is given back behind this. Raises `QuotaExceeded` when nothing is left
        for a new session."""
        if is_new:
            if await self.reach(1) < 1:
                raise self.exceeded()
            self._used = 0
        try:
            yield
        finally:
            with suppress(*ConnectionLost):
                await self._give_back()

    async def reach(self, sample: int) -> int:
        """Audio up to `sample` is about to be taken. Returns the sample up to which it may be; less than that
        at the bound."""
        while sample > self._granted:
            allowance = self._quota.tenants.of(self._tenant)
            if not (allowance.audio_minutes_per_day or allowance.audio_minutes_per_month):
                # Bounds that come later hold from there on.
                self._granted = self._used = sample
                return sample
            bounds = audio_bounds(self._quota.tenants, self._tenant)
            spent = await self._quota.usage.spend_audio(self._tenant, _SLICE_MS, bounds)
            self._granted += spent.granted * _SAMPLES_PER_MS
            if spent.full:
                self._full = spent.full
                break
        self._used = min(sample, self._granted)
        return self._used

    async def _give_back(self) -> None:
        left_ms = (self._granted - self._used) // _SAMPLES_PER_MS
        self._granted = self._used
        if left_ms > 0:
            await self._quota.usage.spend_audio(self._tenant, -left_ms, {})

    def exceeded(self) -> QuotaExceeded:
        """The error that says so."""
        return audio_exceeded(self._quota.tenants, self._tenant, self._full)


def live_quota(tenants: Tenants, client: AsyncRedis, keys: Keys, *, resume_s: float) -> LiveQuota:
    """A session that waits for its client holds its place: `resume_s`, at most two fifths longer (ADR 21)."""
    held_s = 1.4 * resume_s + _PLACE_SPARE_S
    return LiveQuota(tenants, TenantPlaces(client, keys, held_s=held_s), Usage(client, keys))


def audio_bounds(tenants: Tenants, tenant: str) -> dict[str, int]:
    """The bounds of a tenant's audio, in ms, by counter."""
    allowance = tenants.of(tenant)
    return {
        DAY_AUDIO: allowance.audio_minutes_per_day * MINUTE_MS,
        MONTH_AUDIO: allowance.audio_minutes_per_month * MINUTE_MS,
    }


def audio_exceeded(tenants: Tenants, tenant: str, full: str = "") -> QuotaExceeded:
    """The error for a tenant that has no audio left; `full` is the counter, if that is known."""
    allowance = tenants.of(tenant)
    if full == MONTH_AUDIO or not allowance.audio_minutes_per_day:
        text = f"{allowance.audio_minutes_per_month} minutes of audio in this month"
        return QuotaExceeded(f"this key's bound of {text} is reached", retry_after_s=month_ends_in_s())
    text = f"{allowance.audio_minutes_per_day} minutes of audio on this day (UTC)"
    return QuotaExceeded(f"this key's bound of {text} is reached", retry_after_s=day_ends_in_s())
