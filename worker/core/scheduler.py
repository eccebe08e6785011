"""Which decode comes next on a device. Pure.

Finals come before partials and partials before windows of files. Within a kind the tenant that used least of
the device goes first (`fairness`), and within a tenant the job whose deadline is earliest (`waiting`); a
session's newer partial takes the place of the one that still waits. Finals of one tenant go before partials
of another only as far as `TENANT_SLACK_S` of device time: a crowd's finals don't silence a neighbour.

A batch holds jobs of one kind, and no more than are expected to be done in a short time, by what batches of
the kind took lately: whoever comes next waits for it to end. A plan starts at once on a free slot, so no
batch ever waits inside the engine.

Files use slots that live work leaves free, urgent windows first: all slots, in batches, while nobody speaks;
all but one, and one window after the other, while somebody does. Where live work leaves none, one window goes
before everything once in `FILE_WAIT_S` (`URGENT_WAIT_S` for an urgent one), or so seldom that windows take a
tenth of the device: files never stand still, and live work never waits for more than one of them.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from worker.core.costs import Costs, Demand, predicted_load
from worker.core.decode import Kind
from worker.core.fairness import FairShare
from worker.core.waiting import Job, Waiting

FILE_WAIT_S: Final = 30.0
"""How long windows of files stand still while live work leaves nothing, at least."""
URGENT_WAIT_S: Final = 2.0
"""The same where one of them is urgent."""
_FILE_SHARE: Final = 0.1
"""Most of the device that they take then."""
LIVE_S: Final = 10.0
"""For so long after a live decode was asked for, somebody is taken to speak: longer than most pauses."""
FILE_BATCH_S: Final = 3.0
"""Longest that a batch of windows should take while nobody speaks: who begins then waits for it to end."""
TENANT_SLACK_S: Final = 1.0
"""Device time by which tenants with finals may get ahead of one that has only partials."""


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
    each, and one or as many as take `batch_s`, seconds. `weights` are the tenants' shares of the device, 1
    each unless they say otherwise."""

    def __init__(
        self,
        *,
        slots: int,
        batch_max: int,
        batch_s: float = math.inf,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._slots = slots
        self._batch_max = batch_max
        self._batch_s = batch_s
        self._finals, self._partials, self._files = Waiting(), Waiting(), Waiting()
        self._live_share, self._file_share = FairShare(weights or {}), FairShare(weights or {})
        self._costs = Costs()
        self._demand = Demand()
        self._running: dict[Plan, float] = {}
        """What runs, and what each of its jobs was charged, in device seconds."""
        self._file_started = -math.inf
        self._live_at = -math.inf

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._finals) + len(self._partials) + len(self._files)

    def oldest_since(self) -> float | None:
        """When the live job that waits longest was offered."""
        return min((job.since for line in (self._finals, self._partials) for job in line), default=None)

    def load(self, now: float) -> float:
        """Part of the device that the present sessions want; see `predicted_load`."""
        self._demand.advance(now)
        return predicted_load(self._demand, self._costs, self._slots)

    def offer(self, job: Job) -> Job | None:
        """Add a job. Returns the one that it replaces: a session has one live decode at a time."""
        kind = job.request.kind
        if kind is Kind.FILE:
            self._files.add(job)
            return None
        self._live_at = max(self._live_at, job.since)
        self._demand.note(job.since, job.key, kind)
        if kind is Kind.PARTIAL:
            return self._partials.replace(job)
        self._finals.add(job)
        return next(iter(self._partials.withdraw(job.key)), None)

    def windows_wanted(self, now: float) -> int:
        """Windows of files that can be used at once, those that wait or run included."""
        return self._file_slots(now) * (1 if self._is_live(now) else self._batch_max)

    def withdraw(self, key: str) -> list[Job]:
        """Take back all that waits for a session or file that is gone."""
        return [job for line in (self._finals, self._files, self._partials) for job in line.withdraw(key)]

    def schedule(self, now: float) -> Plan | None:
        """The next plan, which then counts as running; None when no slot is free or nothing may run."""
        if len(self._running) >= self._slots:
            return None
        if self._file_is_due(now):
            return self._start_file(now)
        if self._finals or self._partials:
            return self._start_live()
        return self._start_file(now)

    def complete(self, plan: Plan, took_s: float | None = None) -> None:
        """The plan is done; its slot is free. `took_s` is left out for one that failed."""
        charged_s = self._running.pop(plan)
        if took_s is None:
            return
        self._costs.learn(plan.kind, len(plan.jobs), took_s)
        share = self._file_share if plan.kind is Kind.FILE else self._live_share
        for job in plan.jobs:
            share.charge(job.tenant, took_s / len(plan.jobs) - charged_s)

    def _start_live(self) -> Plan:
        tenants = list(dict.fromkeys((*self._finals.tenants, *self._partials.tenants)))
        self._live_share.advance(tenants)
        behind = self._live_share.first(tenants)
        ahead_s = self._live_share.ahead_s(behind, self._finals.tenants)
        if self._finals and ahead_s <= TENANT_SLACK_S:
            kind, line, tenants = Kind.FINAL, self._finals, self._finals.tenants
        else:
            kind, line, tenants = Kind.PARTIAL, self._partials, [behind] if self._finals else tenants
        count = self._batch(sum(map(line.count, tenants)), self._limit(kind, self._batch_s))
        return self._start(self._take(line, tenants, count, self._live_share))

    def _take(self, line: Waiting, tenants: Collection[str], count: int, share: FairShare) -> list[Job]:
        """A batch of the tenants' jobs, the least served tenant's first."""
        jobs: list[Job] = []
        for _ in range(count):
            tenant = share.first([name for name in tenants if line.count(name)])
            jobs.append(line.take(tenant))
            share.charge(tenant, self._costs.job_s(jobs[0].request.kind))
        return jobs

    def _start_file(self, now: float) -> Plan | None:
        busy = sum(plan.kind is Kind.FILE for plan in self._running)
        if not self._files or busy >= self._file_slots(now):
            return None
        self._file_started = now
        limit = 1 if self._is_live(now) else self._limit(Kind.FILE, FILE_BATCH_S)
        tenants = self._files.tenants
        self._file_share.advance(tenants)
        count = self._batch(len(self._files), limit)
        if any(job.alone for job in self._files):
            count = 1
        return self._start(self._take(self._files, tenants, count, self._file_share))

    def _is_live(self, now: float) -> bool:
        return now - self._live_at < LIVE_S

    def _file_slots(self, now: float) -> int:
        # A window of a file can't be interrupted: one slot is kept for whoever says the next word.
        return max(1, self._slots - 1) if self._is_live(now) else self._slots

    def _file_is_due(self, now: float) -> bool:
        if not self._files or any(plan.kind is Kind.FILE for plan in self._running):
            return False
        share_s = self._costs.job_s(Kind.FILE) / _FILE_SHARE
        return any(
            now - max(self._file_started, job.since)
            >= max(URGENT_WAIT_S if job.urgent else FILE_WAIT_S, share_s)
            for job in self._files
        )

    def _start(self, jobs: list[Job]) -> Plan:
        plan = Plan(tuple(jobs))
        self._running[plan] = self._costs.job_s(plan.kind)
        return plan

    def _batch(self, count: int, limit: int) -> int:
        """Jobs for this batch: what waits is spread over the free slots before batches grow."""
        free = self._slots - len(self._running)
        return min(-(-count // free), limit)

    def _limit(self, kind: Kind, batch_s: float) -> int:
        if math.isinf(self._batch_s):
            return self._batch_max
        # The first of a kind goes alone: nothing is known about it yet.
        job_s = max(self._costs.job_s(kind, unknown=batch_s), 0.001)
        return min(self._batch_max, max(1, math.floor(batch_s / job_s + 1e-6)))
