"""What file jobs take of their tenant's allowance. Blocking, as all that deals with jobs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from api.quota import audio_bounds, audio_exceeded
from api.tenants import Tenants
from shared.errors import QuotaExceeded
from shared.redis.quotas import DAY_AUDIO, DAY_BYTES, DAY_JOBS, MONTH_AUDIO, JobUsage, day_ends_in_s

_JOBS_RETRY_S: Final = 5.0
"""When a job of one's own may have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a job brings. Of a file that is to be fetched, size and length are not known yet."""

    size_bytes: int = 0
    audio_s: float = 0.0

    @property
    def amounts(self) -> dict[str, int]:
        """What it spends, by counter."""
        audio_ms = round(1000 * self.audio_s)
        return {DAY_AUDIO: audio_ms, MONTH_AUDIO: audio_ms, DAY_JOBS: 1, DAY_BYTES: self.size_bytes}


class JobQuota:
    """Takes jobs within what their tenants may have. `over` says which of some jobs have ended, or are
    gone."""

    def __init__(
        self, tenants: Tenants, usage: JobUsage, over: Callable[[Collection[str]], Collection[str]]
    ) -> None:
        self._tenants = tenants
        self.usage = usage
        self._over = over

    def counts_audio(self, tenant: str) -> bool:
        """Whether the tenant's audio has a bound."""
        return any(audio_bounds(self._tenants, tenant).values())

    def check(self, tenant: str) -> None:
        """Raises `QuotaExceeded` when a job would be refused whatever it brings: before it is uploaded."""
        bounds = self._bounds(tenant)
        used = self.usage.read(tenant) if any(bounds.values()) else {}
        for name, bound in bounds.items():
            if 0 < bound <= used.get(name, 0):
                raise self._exceeded(tenant, name)
        allowance = self._tenants.of(tenant)
        if allowance.jobs and len(self.usage.held(tenant)) >= allowance.jobs:
            self._sweep(tenant)
            if len(self.usage.held(tenant)) >= allowance.jobs:
                raise self._full(tenant, "jobs")

    def take(self, tenant: str, job: str, load: Load) -> None:
        """Count a job that is about to be queued. Raises `QuotaExceeded`, and counts nothing then."""
        self._hold(tenant, job, load)
        bounds = self._bounds(tenant)
        if not any(bounds.values()):
            return
        full = self.usage.spend(tenant, load.amounts, bounds).full
        if full:
            self.usage.release(tenant, [job])
            raise self._exceeded(tenant, full)

    def give_back(self, tenant: str, job: str, load: Load) -> None:
        """The job was not queued after all."""
        self.ended(tenant, job)
        if any(self._bounds(tenant).values()):
            self.usage.spend(tenant, {name: -amount for name, amount in load.amounts.items()}, {})

    def ended(self, tenant: str, job: str) -> None:
        """The job neither waits nor runs any more."""
        if self._is_held(tenant):
            self.usage.release(tenant, [job])

    def _hold(self, tenant: str, job: str, load: Load) -> None:
        if not self._is_held(tenant):
            return
        allowance = self._tenants.of(tenant)
        for is_swept in (False, True):
            full = self.usage.hold(
                tenant, job, load.size_bytes, jobs_max=allowance.jobs, bytes_max=allowance.stored_bytes
            )
            if not full:
                return
            if is_swept:
                raise self._full(tenant, full)
            self._sweep(tenant)

    def _sweep(self, tenant: str) -> None:
        """Jobs end in other processes, some of them by dying; here is where it matters."""
        self.usage.release(tenant, sorted(self._over(self.usage.held(tenant))))

    def _is_held(self, tenant: str) -> bool:
        allowance = self._tenants.of(tenant)
        return bool(allowance.jobs or allowance.stored_bytes)

    def _bounds(self, tenant: str) -> Mapping[str, int]:
        allowance = self._tenants.of(tenant)
        return {
            **audio_bounds(self._tenants, tenant),
            DAY_JOBS: allowance.jobs_per_day,
            DAY_BYTES: allowance.bytes_per_day,
        }

    def _exceeded(self, tenant: str, full: str) -> QuotaExceeded:
        allowance = self._tenants.of(tenant)
        if full in (DAY_AUDIO, MONTH_AUDIO):
            return audio_exceeded(self._tenants, tenant, full)
        texts = {
            DAY_JOBS: f"{allowance.jobs_per_day} jobs",
            DAY_BYTES: f"{allowance.bytes_per_day} bytes of uploads",
        }
        message = f"this key's bound of {texts[full]} on one day (UTC) is reached, or would be passed"
        return QuotaExceeded(message, retry_after_s=day_ends_in_s())

    def _full(self, tenant: str, full: str) -> QuotaExceeded:
        bound = getattr(self._tenants.of(tenant), full)
        what = "jobs that wait or run" if full == "jobs" else "bytes of uploads that wait"
        message = (
            f"this key's bound of {bound} {what} is reached, or would be passed; try again when one ends"
        )
        return QuotaExceeded(message, retry_after_s=_JOBS_RETRY_S)
