"""What tenants have and have used, counted over all edges: live sessions, requests, audio, file jobs and
their bytes. Each count is one script, so that a bound holds exactly however many ask at once."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from shared.redis.connection import AsyncRedis, SyncRedis
from shared.redis.keys import Keys
from shared.redis.scripts import Scripts, SyncScripts

USAGE_TTL_S: Final = 32 * 24 * 3600
"""Longer than a month."""
DAY_AUDIO: Final = "day:audio_ms"
MONTH_AUDIO: Final = "month:audio_ms"
DAY_JOBS: Final = "day:jobs"
DAY_BYTES: Final = "day:bytes"


class TenantPlaces:
    """Places for sessions. A place that is not kept is free again after `held_s`."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, held_s: float) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._keys = keys
        self.held_s = held_s

    async def occupy(self, tenant: str, session: str, limit: int) -> bool:
        """Take a place, or keep the one that the session has, while there are at most `limit`. Returns
        whether it has one now."""
        name = self._keys.tenant_sessions(tenant)
        return bool(await self._scripts.run("occupy", [name], [session, limit, max(1, round(self.held_s))]))

    async def vacate(self, tenant: str, session: str) -> None:
        """Give the session's place up."""
        await self._client.zrem(self._keys.tenant_sessions(tenant), session)


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether a request may pass."""

    is_free: bool
    left: int
    """How many more may at this moment."""
    retry_after_s: float
    """Until one more may."""
    reset_s: float
    """Until as many may as at first."""


class Turnstile:
    """Requests of a tenant: `limit` at once, and as many again evenly over each period."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, period_s: int = 60) -> None:
        self._scripts = Scripts(client)
        self._keys = keys
        self.period_s = period_s

    async def ask(self, tenant: str, limit: int) -> Passage:
        """Count a request, if it may pass."""
        name = self._keys.tenant_rate(tenant)
        free, left, wait_ms, reset_ms = await self._scripts.run("rate", [name], [limit, self.period_s])
        return Passage(bool(free), int(left), wait_ms / 1000, reset_ms / 1000)


@dataclass(frozen=True, slots=True)
class Spent:
    """What became of a wish."""

    full: str
    """The counter that is at its bound; empty when there is none."""
    granted: int


class Usage:
    """What tenants have used in this day and month of UTC. `amounts` are by counter, `bounds` too; 0 is no
    bound."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._keys = keys

    async def spend_audio(self, tenant: str, audio_ms: int, bounds: Mapping[str, int]) -> Spent:
        """Spend so much audio, or what there is left; a negative amount gives back what was not used."""
        amounts = {DAY_AUDIO: audio_ms, MONTH_AUDIO: audio_ms}
        args = _args(amounts, bounds, part=audio_ms > 0)
        return _spent(await self._scripts.run("spend", [self._keys.tenant_usage(tenant)], args))

    async def read(self, tenant: str) -> dict[str, int]:
        """What counts in this day and month, by counter."""
        return _used(cast(Any, await self._client.hgetall(self._keys.tenant_usage(tenant))))


class JobUsage:
    """The same for file jobs: without an event loop, as all that deals with them."""

    def __init__(self, client: SyncRedis, keys: Keys, *, held_s: int) -> None:
        """`held_s` is longer than a job may wait and run."""
        self._client = client
        self._scripts = SyncScripts(client)
        self._keys = keys
        self._held_s = held_s

    def spend(self, tenant: str, amounts: Mapping[str, int], bounds: Mapping[str, int]) -> Spent:
        """Spend all of it, or nothing."""
        args = _args(amounts, bounds, part=False)
        return _spent(self._scripts.run("spend", [self._keys.tenant_usage(tenant)], args))

    def read(self, tenant: str) -> dict[str, int]:
        """See `Usage.read`."""
        return _used(cast(Any, self._client.hgetall(self._keys.tenant_usage(tenant))))

    def hold(self, tenant: str, job: str, size_bytes: int, *, jobs_max: int, bytes_max: int) -> str:
        """Count a job that waits. Returns the bound that it is at, or nothing."""
        args = [job, size_bytes, jobs_max, bytes_max, self._held_s]
        return cast(bytes, self._scripts.run("store", [self._keys.tenant_jobs(tenant)], args)).decode()

    def held(self, tenant: str) -> dict[str, int]:
        """The jobs that are counted, with their bytes."""
        rows = cast(dict[bytes, bytes], self._client.hgetall(self._keys.tenant_jobs(tenant)))
        return {job.decode(): int(size) for job, size in rows.items() if job != b"bytes"}

    def release(self, tenant: str, jobs: Sequence[str]) -> None:
        """Count these no more."""
        if jobs:
            self._scripts.run("unstore", [self._keys.tenant_jobs(tenant)], list(jobs))


def day_ends_in_s() -> float:
    """Seconds until the next day of UTC, when a day's counters begin anew."""
    now = datetime.datetime.now(datetime.UTC)
    midnight = datetime.datetime.combine(
        now.date() + datetime.timedelta(days=1), datetime.time(), datetime.UTC
    )
    return (midnight - now).total_seconds()


def month_ends_in_s() -> float:
    """Seconds until the next month of UTC."""
    now = datetime.datetime.now(datetime.UTC)
    first = (now.replace(day=1) + datetime.timedelta(days=32)).date().replace(day=1)
    return (datetime.datetime.combine(first, datetime.time(), datetime.UTC) - now).total_seconds()


def _periods() -> tuple[str, str]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return today, today[:7]


def _used(row: Mapping[bytes, bytes]) -> dict[str, int]:
    """The counters of periods that are not over."""
    found = {name.decode(): value.decode() for name, value in row.items()}
    periods = dict(zip(("day", "month"), _periods(), strict=True))
    is_current = {period: found.get(period, "") >= now for period, now in periods.items()}
    return {
        name: int(found[name])
        for name in (DAY_AUDIO, MONTH_AUDIO, DAY_JOBS, DAY_BYTES)
        if name in found and is_current[name.partition(":")[0]]
    }


def _args(amounts: Mapping[str, int], bounds: Mapping[str, int], *, part: bool) -> list[Any]:
    counters = [(name, amount, bounds.get(name, 0)) for name, amount in amounts.items()]
    return [*_periods(), USAGE_TTL_S, int(part), *(value for counter in counters for value in counter)]


def _spent(reply: list[Any]) -> Spent:
    full, granted = reply
    return Spent(cast(bytes, full).decode(), int(granted))
