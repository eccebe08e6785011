"""Which decode comes next on a device: finals, then partials, then windows of files. Pure.

Finals go in order of arrival; partials by how long their session has waited for one, the newest replacing
the one that still waits; file windows in the order of arrival, and only on slots that live sessions leave
free. A batch holds jobs of one kind, and no more than are expected to be done in a short time, by what
batches of the kind took lately: whoever comes next waits for it to end.
"""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from worker.core.decode import DecodeRequest, Kind

_LATELY: Final = 8
"""Batches that the measured costs are mostly of."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A decode that someone waits for. `key` is the session, or the window of a file; `since` is when it
    was offered, seconds."""

    key: str
    ticket: int
    request: DecodeRequest
    since: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs to be decoded together, now."""

    jobs: tuple[Job, ...]

    @property
    def kind(self) -> Kind:
        """The kind of all of them."""
        return self.jobs[0].request.kind


class Scheduler:
    """Holds what waits and counts what runs. `slots` plans may run at once, with at most `batch_max` jobs
    each, and one or as many as take `batch_s`, seconds."""

    def __init__(self, *, slots: int, batch_max: int, batch_s: float = math.inf) -> None:
        self._slots = slots
        self._batch_max = batch_max
        self._batch_s = batch_s
        self._job_s: dict[Kind, float] = {}
        """What a job of a kind took lately, its share of the batch."""
        self._finals: deque[Job] = deque()
        self._partials: OrderedDict[str, Job] = OrderedDict()
        self._files: deque[Job] = deque()
        self._served: dict[str, float] = {}
        self._running: list[Plan] = []

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._finals) + len(self._partials) + len(self._files)

    def oldest_since(self) -> float | None:
        """When the live job that waits longest was offered."""
        live = [*self._finals, *self._partials.values()]
        return min((job.since for job in live), default=None)

    def offer(self, job: Job) -> Job | None:
        """Add a job. Returns the one that it replaces: a session has one live decode at a time."""
        if job.request.kind is Kind.FILE:
            self._files.append(job)
            return None
        replaced = self._partials.pop(job.key, None)
        if job.request.kind is Kind.PARTIAL:
            self._partials[job.key] = job
        else:
            self._finals.append(job)
        return replaced

    def withdraw(self, key: str) -> list[Job]:
        """Take back all that waits for a session or file that is gone."""
        gone = [job for job in (*self._finals, *self._files) if job.key == key]
        self._finals = deque(job for job in self._finals if job.key != key)
        self._files = deque(job for job in self._files if job.key != key)
        partial = self._partials.pop(key, None)
        self._served.pop(key, None)
        return [*gone, partial] if partial else gone

    def schedule(self, now: float) -> Plan | None:
        """The next plan, which then counts as running; None when no slot is free or nothing may run."""
        if len(self._running) >= self._slots:
            return None
        jobs = self._take_live(now) or self._take_files()
        if not jobs:
            return None
        plan = Plan(tuple(jobs))
        self._running.append(plan)
        return plan

    def complete(self, plan: Plan, took_s: float | None = None) -> None:
        """The plan is done; its slot is free. `took_s` is left out for one that failed."""
        self._running.remove(plan)
        if took_s is not None:
            job_s = took_s / len(plan.jobs)
            before_s = self._job_s.get(plan.kind, job_s)
            self._job_s[plan.kind] = before_s + (job_s - before_s) / _LATELY

    def _take_live(self, now: float) -> list[Job]:
        if self._finals:
            return [self._finals.popleft() for _ in range(self._share(len(self._finals), Kind.FINAL))]
        order = sorted(
            self._partials.values(), key=lambda job: (self._served.get(job.key, -math.inf), job.since)
        )
        jobs = order[: self._share(len(order), Kind.PARTIAL)]
        for job in jobs:
            del self._partials[job.key]
            self._served[job.key] = now
        return jobs

    def _take_files(self) -> list[Job]:
        # A window of a file can't be interrupted: with several slots one is kept for whoever speaks next.
        busy = sum(plan.kind is Kind.FILE for plan in self._running)
        allowed = max(1, self._slots - 1)
        return [self._files.popleft()] if self._files and busy < allowed else []

    def _share(self, count: int, kind: Kind) -> int:
        """Jobs for this batch: what waits is spread over the free slots before batches grow."""
        free = self._slots - len(self._running)
        return min(-(-count // free), self._limit(kind))

    def _limit(self, kind: Kind) -> int:
        if math.isinf(self._batch_s):
            return self._batch_max
        # The first of a kind goes alone: nothing is known about it yet.
        job_s = max(self._job_s.get(kind, self._batch_s), 0.001)
        return min(self._batch_max, max(1, math.floor(self._batch_s / job_s + 1e-6)))
