"""A modelled worker on a virtual clock: the real scheduler, and decodes that take what a table of costs says
(`bench.cost_table`)."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, Protocol

from bench.cost_table import BEAM_FINAL, CostTable
from bench.modelled import heard
from bench.speech_model import Profile
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Decode, Effect, SessionOptions
from worker.core.scheduler import Plan, Scheduler
from worker.core.session import Session
from worker.core.waiting import Job
from worker.device import BATCH_S

_ALIKE_S: Final = 2.0
_ALIKE_TIGHT_S: Final = 3.0
"""Windows of a batch, or of tight partials, that differ by no more are made alike, as the engine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is simulated."""

    table: CostTable
    sessions: int
    draft_table: CostTable | None = None
    """That of a smaller model for drafts, if there is one."""
    workers: int = 1
    duration_s: float = 120.0
    seed: int = 1
    profile: Profile = "reading"
    kill_at_s: float | None = None
    """When one worker dies; the others go on with its sessions."""
    lease_s: float = 2.0
    options: SessionOptions = field(default_factory=SessionOptions)


@dataclass(slots=True)
class Outcome:
    """What came of it. Seconds."""

    first_s: list[float] = field(default_factory=list[float])
    """Each word's end to the first text that covers it."""
    final_s: list[float] = field(default_factory=list[float])
    """Each utterance's last word's end to its final."""
    queue_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Wait of each decode before it starts, by kind."""
    batches: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    busy_s: float = 0.0
    talk_s: float = 0.0
    """Audio that was sent, all sessions together."""
    ended_s: float = 0.0
    slots: int = 0
    words: int = 0
    takeovers: int = 0
    wrong: list[str] = field(default_factory=list[str])
    """Sessions whose finals don't say all that was said once and in order, or that did not close."""

    @property
    def utilisation(self) -> float:
        """Busy share of all decoding threads or devices."""
        return self.busy_s / (self.slots * self.ended_s) if self.ended_s else 0.0


class Clock:
    """What happens, in order of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, when_s: float, happen: Callable[[], None]) -> None:
        """Let something happen at `when_s`."""
        heapq.heappush(self._agenda, (when_s, next(self._numbers), happen))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._agenda:
            self.now, _, happen = heapq.heappop(self._agenda)
            happen()


class Asker(Protocol):
    """Who has a session at a worker."""

    name: str

    def apply(self, effects: list[Effect]) -> None:
        """Do what the session's machine wants."""
        ...


class Worker:
    """One device with its scheduler, and the sessions that it has."""

    def __init__(self, clock: Clock, case: Case, outcome: Outcome, number: int) -> None:
        self.sessions: set[Asker] = set()
        self.alive = True
        self._clock = clock
        self._table = case.table
        self._draft_table = case.draft_table
        self._outcome = outcome
        self._rng = Random(f"{case.seed} worker {number}")
        self._scheduler = Scheduler(slots=case.table.slots, batch_max=case.table.batch_max, batch_s=BATCH_S)
        self._askers: dict[Job, tuple[Asker, Session]] = {}

    def offer(self, asker: Asker, machine: Session, wanted: Decode) -> None:
        """Take a decode that a session's machine wants."""
        job = Job(asker.name, wanted.ticket, wanted.request, self._clock.now, wanted.lag_s)
        self._askers[job] = (asker, machine)
        if replaced := self._scheduler.offer(job):
            self._answer(replaced, None)

    def look(self) -> None:
        """Start what fits."""
        while self.alive and (plan := self._scheduler.schedule(self._clock.now)):
            self._start(plan)

    def _start(self, plan: Plan) -> None:
        now, kind = self._clock.now, plan.kind.name.lower()
        requests = [self._askers[job][1].newest(job.ticket) or job.request for job in plan.jobs]
        windows_s = self._windows_s(requests)
        lost = self._table.partials_lost if plan.kind is Kind.PARTIAL else 0.0
        results = [
            replace(
                heard(request, window_s, self._table.tokens_per_word, lost=self._rng.random() < lost),
                draft=self._is_draft(request),
            )
            for request, window_s in zip(requests, windows_s, strict=True)
        ]
        own = 1 if plan.kind is Kind.PARTIAL else BEAM_FINAL
        beam = requests[0].beam or own
        took_s = self._cost_s(results, beam) * self._stretch()
        self._outcome.queue_s[kind] += [now - job.since for job in plan.jobs]
        self._outcome.batches[kind].append(len(plan.jobs))
        self._outcome.busy_s += took_s
        self._clock.at(now + took_s, lambda: self._done(plan, results, now))

    def _is_draft(self, request: DecodeRequest) -> bool:
        return self._draft_table is not None and request.kind is Kind.PARTIAL and request.tight

    def _cost_s(self, results: Sequence[DecodeResult], beam: int) -> float:
        drafts = [(r.window_s, r.steps) for r in results if r.draft]
        others = [(r.window_s, r.steps) for r in results if not r.draft]
        cost_s = self._table.batch_s(others, beam=beam) if others else 0.0
        return cost_s + (
            self._draft_table.batch_s(drafts, beam=beam) if self._draft_table and drafts else 0.0
        )

    def _windows_s(self, requests: Sequence[DecodeRequest]) -> list[float]:
        policy = self._table.policy
        each_s = [
            policy.frames(r.duration_s, tight=r.tight, final=r.kind is Kind.FINAL) / 100 for r in requests
        ]
        is_tight = all(r.tight and r.kind is Kind.PARTIAL for r in requests)
        reach_s = _ALIKE_TIGHT_S if is_tight else _ALIKE_S
        return [max(each_s) if max(each_s) - one_s <= reach_s else one_s for one_s in each_s]

    def _stretch(self) -> float:
        """How much longer decodes take because their cores do the rest of the service's work too."""
        rest = self._table.service_share * len(self.sessions) / self._table.slots
        return 1 / max(0.1, 1 - rest)

    def _done(self, plan: Plan, results: list[DecodeResult], started_s: float) -> None:
        if not self.alive:
            return
        took_s = self._clock.now - started_s
        self._scheduler.complete(plan, took_s)
        for job, result in zip(plan.jobs, results, strict=True):
            cost_s = took_s / len(plan.jobs)
            self._answer(job, replace(result, cost_s=cost_s, waited_s=started_s - job.since))
        self.look()

    def _answer(self, job: Job, result: DecodeResult | None) -> None:
        asker, machine = self._askers.pop(job)
        asker.apply(machine.decoded(job.ticket, result))
