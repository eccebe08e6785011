"""Which decode comes next on a device. Pure.

Finals come before partials and partials before windows of files. Within a kind the tenant that used least of
the device goes first (`fairness`), and within a tenant the job whose deadline is earliest (`waiting`); a
session's newer partial takes the place of the one that still waits. Finals of one tenant go before partials
of another only as far as `TENANT_SLACK_S` of device time: a crowd's finals don't silence a neighbour.

A batch holds jobs of one kind, and no more than are expected to be done in a short time, by what batches of
the kind took lately: whoever comes next waits for it to end. Finals that had to wait are decoded with a
narrower beam. A plan starts at once on a free slot, so no batch ever waits inside the engine.

Files use slots that live work leaves free, urgent windows first. Where it leaves none, one window goes before
everything once in `FILE_WAIT_S` (`URGENT_WAIT_S` for an urgent one), or so seldom that windows take a tenth
of the device: files never stand still, and live work never waits for more than one of them.
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
TENANT_SLACK_S: Final = 1.0
"""Device time by which tenants with finals may get ahead of one that has only partials."""
NARROW_BEAMS: Final = ((2.0, 1), (0.8, 2))
"""Waits of a final, in seconds, above which it gets such a beam; the longest first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs to be decoded together, now."""

    jobs: tuple[Job, ...]
    beam: int = 0
    """Beam for all of them; 0: the engine's own for the kind."""

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
        self._demand.note(job.since, job.key, kind)
        if kind is Kind.PARTIAL:
            return self._partials.replace(job)
        self._finals.add(job)
        return next(iter(self._partials.withdraw(job.key)), None)

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
            return self._start_live(now)
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

    def _start_live(self, now: float) -> Plan:
        tenants = list(dict.fromkeys((*self._finals.tenants, *self._partials.tenants)))
        self._live_share.advance(tenants)
        behind = self._live_share.first(tenants)
        ahead_s = self._live_share.ahead_s(behind, self._finals.tenants)
        if self._finals and ahead_s <= TENANT_SLACK_S:
            jobs = self._take(self._finals, Kind.FINAL, self._finals.tenants)
            beam = _beam(jobs, now)
        else:
            jobs = self._take(self._partials, Kind.PARTIAL, [behind] if self._finals else tenants)
            beam = 0
        return self._start(Plan(tuple(jobs), beam), self._costs.job_s(jobs[0].request.kind))

    def _take(self, line: Waiting, kind: Kind, tenants: Collection[str]) -> list[Job]:
        """A batch of the tenants' jobs, the least served tenant's first."""
        jobs: list[Job] = []
        for _ in range(self._batch(sum(map(line.count, tenants)), kind)):
            tenant = self._live_share.first([name for name in tenants if line.count(name)])
            jobs.append(line.take(tenant))
            self._live_share.charge(tenant, self._costs.job_s(kind))
        return jobs

    def _start_file(self, now: float) -> Plan | None:
        # A window of a file can't be interrupted: with several slots one is kept for whoever speaks next.
        busy = sum(plan.kind is Kind.FILE for plan in self._running)
        if not self._files or busy >= max(1, self._slots - 1):
            return None
        self._file_started = now
        job_s = self._costs.job_s(Kind.FILE)
        self._file_share.advance(self._files.tenants)
        tenant = self._file_share.first(self._files.tenants)
        self._file_share.charge(tenant, job_s)
        return self._start(Plan((self._files.take(tenant),)), job_s)

    def _file_is_due(self, now: float) -> bool:
        if not self._files or any(plan.kind is Kind.FILE for plan in self._running):
            return False
        share_s = self._costs.job_s(Kind.FILE) / _FILE_SHARE
        return any(
            now - max(self._file_started, job.since)
            >= max(URGENT_WAIT_S if job.urgent else FILE_WAIT_S, share_s)
            for job in self._files
        )

    def _start(self, plan: Plan, job_s: float) -> Plan:
        self._running[plan] = job_s
        return plan

    def _batch(self, count: int, kind: Kind) -> int:
        """Jobs for this batch: what waits is spread over the free slots before batches grow."""
        free = self._slots - len(self._running)
        return min(-(-count // free), self._limit(kind))

    def _limit(self, kind: Kind) -> int:
        if math.isinf(self._batch_s):
            return self._batch_max
        # The first of a kind goes alone: nothing is known about it yet.
        job_s = max(self._costs.job_s(kind, unknown=self._batch_s), 0.001)
        return min(self._batch_max, max(1, math.floor(self._batch_s / job_s + 1e-6)))


def _beam(finals: list[Job], now: float) -> int:
    waited_s = now - min(job.since for job in finals)
    return next((beam for above_s, beam in NARROW_BEAMS if waited_s > above_s), 0)
