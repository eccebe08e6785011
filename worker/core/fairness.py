"""Whose turn it is: device time shared between tenants. Pure.

Start-time fair queueing (Goyal, Vin, Cheng 1996): a tenant's tag is the device time that it used, by its
weight, and the least tag goes first. A tenant that comes, or comes back, starts where the least of those
who wait stands: being idle earns no credit. So a tenant with a hundred sessions and one with a single
session get the same time as long as both want it, and what one leaves is the other's.
"""

from collections.abc import Collection, Mapping
from typing import Final

_IDLE_MAX: Final = 64
"""Tenants without a job whose tags are remembered, beside as many as wait."""


class FairShare:
    """One device's. `weights` are the tenants' shares; 1 for who is not in it."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._used: dict[str, float] = {}
        self._clock = 0.0
        """Tag of the least served tenant that waits."""

    def advance(self, waiting: Collection[str]) -> None:
        """Take note of all tenants that wait, before one is chosen."""
        self._clock = min(map(self._tag, waiting))
        if len(self._used) > len(waiting) + _IDLE_MAX:
            self._used = {tenant: used for tenant, used in self._used.items() if used > self._clock}

    def first(self, tenants: Collection[str]) -> str:
        """Which of the tenants goes first."""
        return min(tenants, key=self._tag)

    def ahead_s(self, tenant: str, others: Collection[str]) -> float:
        """Device time by which the least served of `others` is ahead of `tenant`; 0 without others."""
        return min(map(self._tag, others), default=self._tag(tenant)) - self._tag(tenant)

    def charge(self, tenant: str, device_s: float) -> None:
        """The tenant uses `device_s` seconds of the device; less than 0 gives back what was charged too
        much."""
        self._used[tenant] = self._tag(tenant) + device_s / self._weights.get(tenant, 1.0)

    def _tag(self, tenant: str) -> float:
        return max(self._used.get(tenant, 0.0), self._clock)
