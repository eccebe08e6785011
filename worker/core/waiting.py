"""Jobs that wait for a device: by tenant, and within a tenant by deadline. Pure."""

import itertools
import math
from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from worker.core.decode import DecodeRequest, Kind

TARGET_S: Final = {Kind.FINAL: 0.8, Kind.PARTIAL: 1.0, Kind.FILE: math.inf}
"""When text should be there: after speech ended, for a final; after the oldest audio that no text covers was
spoken, for a partial. Files have no deadline, unless somebody waits for them."""
_LAG_S_MAX: Final = 5.0
"""Most that a job may be late before it is asked for: else sessions whose audio comes in bursts would always
go first."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A decode that someone waits for. `key` is the session, or the window of a file; `since` is when it
    was offered, seconds; `tenant` is whose share of the device it takes."""

    key: str
    ticket: int
    request: DecodeRequest
    since: float
    lag_s: float = 0.0
    """How long before that its deadline began to count; see `Decode`."""
    tenant: str = ""
    urgent: bool = False
    """Whether this window of a file goes before those that are not."""

    @property
    def due(self) -> float:
        """When its text should be there, seconds."""
        if self.urgent:
            return self.since
        lag_s = min(max(0.0, self.lag_s), _LAG_S_MAX)
        return self.since - lag_s + TARGET_S[self.request.kind]


class _Place(NamedTuple):
    due: float
    number: int
    """Breaks ties by arrival."""
    job: Job


class Waiting:
    """Jobs of one kind. Jobs of one key keep their order whatever their deadlines."""

    def __init__(self) -> None:
        self._lines: dict[str, list[_Place]] = {}
        self._numbers = itertools.count()
        self._keys: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Job]:
        return (place.job for line in self._lines.values() for place in line)

    @property
    def tenants(self) -> list[str]:
        """Those with jobs here."""
        return list(self._lines)

    def count(self, tenant: str) -> int:
        """Jobs of a tenant."""
        return len(self._lines.get(tenant, ()))

    def add(self, job: Job) -> None:
        """Queue a job by its deadline, behind the others of its key."""
        line = self._lines.setdefault(job.tenant, [])
        due = job.due
        if self._keys[job.key]:
            due = max([due, *(place.due for place in line if place.job.key == job.key)])
        insort(line, _Place(due, next(self._numbers), job))
        self._keys[job.key] += 1

    def replace(self, job: Job) -> Job | None:
        """Queue a job in the place of the one that its key has here, which is returned: who asks again does
        not lose what it has waited."""
        place = next(iter(self._remove(job.key)), None)
        if place is None:
            self.add(job)
            return None
        insort(self._lines.setdefault(job.tenant, []), place._replace(job=job))
        self._keys[job.key] += 1
        return place.job

    def take(self, tenant: str) -> Job:
        """The tenant's most urgent job, which then waits no longer."""
        line = self._lines[tenant]
        job = line.pop(0).job
        if not line:
            del self._lines[tenant]
        self._forget(job.key)
        return job

    def withdraw(self, key: str) -> list[Job]:
        """Take back all of a key, in order."""
        return [place.job for place in self._remove(key)]

    def _remove(self, key: str) -> list[_Place]:
        if key not in self._keys:
            return []
        gone: list[_Place] = []
        for tenant, line in list(self._lines.items()):
            gone += [place for place in line if place.job.key == key]
            if kept := [place for place in line if place.job.key != key]:
                self._lines[tenant] = kept
            else:
                del self._lines[tenant]
        del self._keys[key]
        return gone

    def _forget(self, key: str) -> None:
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]
