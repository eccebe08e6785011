"""Workers and sessions on a virtual clock, without sound and without an engine: the real session machines
and schedulers, modelled speech (`bench.speech_model`) and the costs of a table (`bench.cost_table`).

What is not in it: the network, Redis, the load of a worker's event loop, and mishearing: the modelled engine
hears every word right, so a word is shown for good when a text first covers it. Some partials are lost, as
the table says.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from bench.cost_table import BEAM_FINAL, CostTable
from bench.modelled import heard, modelled_session
from bench.speech_model import Profile, Speech
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, to_samples
from shared.events import Closed, Event, Partial
from shared.events import Final as FinalText
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Close, Decode, Effect, Emit, SessionOptions
from worker.core.scheduler import Plan, Scheduler
from worker.core.session import Session
from worker.core.waiting import Job
from worker.device import BATCH_S

CHUNK_SAMPLES: Final = SAMPLE_RATE // 10
_CHUNK: Final = bytes(CHUNK_SAMPLES * SAMPLE_BYTES)
RAMP_S: Final = 10.0
"""Sessions begin within this time."""
_POLL_S: Final = 0.5
"""How often workers look for sessions whose lease has ended, at least (`worker.intake`)."""
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


class Worker:
    """One device with its scheduler, and the sessions that it has."""

    def __init__(self, clock: Clock, case: Case, outcome: Outcome, number: int) -> None:
        self.sessions: set[Client] = set()
        self.alive = True
        self._clock = clock
        self._table = case.table
        self._draft_table = case.draft_table
        self._outcome = outcome
        self._rng = Random(f"{case.seed} worker {number}")
        self._scheduler = Scheduler(slots=case.table.slots, batch_max=case.table.batch_max, batch_s=BATCH_S)
        self._askers: dict[Job, tuple[Client, Session]] = {}

    def offer(self, client: "Client", machine: Session, wanted: Decode) -> None:
        """Take a decode that a session's machine wants."""
        job = Job(client.name, wanted.ticket, wanted.request, self._clock.now, wanted.lag_s)
        self._askers[job] = (client, machine)
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
        client, machine = self._askers.pop(job)
        client.apply(machine.decoded(job.ticket, result))


class Client:
    """One person who talks, with what the fleet knows of the session."""

    def __init__(self, name: str, speech: Speech, start_s: float, fleet: "Fleet") -> None:
        self.name = name
        self._speech = speech
        self._start_s = start_s
        self._fleet = fleet
        self._sent = 0
        self._covered = 0
        self._checkpoint = b""
        self._worker: Worker | None = None
        self._machine: Session | None = None
        self._shown = 0
        self._said: list[str] = []
        self.closed = False

    def claimed(self) -> None:
        """The least busy worker goes on from the covered sample; what was sent since then is heard at
        once."""
        self._worker = self._fleet.least_busy()
        self._worker.sessions.add(self)
        machine = modelled_session(self._speech, self._fleet.case.options, self._covered, self._checkpoint)
        self._machine = machine
        for start in range(self._covered, self._sent, CHUNK_SAMPLES):
            self.apply(machine.audio(start, _CHUNK[: SAMPLE_BYTES * (self._sent - start)]))
        self._end_if_over()
        self._worker.look()

    def lost(self) -> None:
        """Its worker died."""
        self._worker = self._machine = None

    def talk(self) -> None:
        """The next chunk arrives."""
        start, self._sent = self._sent, min(self._sent + CHUNK_SAMPLES, self._speech.samples)
        if self._sent < self._speech.samples:
            following = min(self._sent + CHUNK_SAMPLES, self._speech.samples)
            self._fleet.clock.at(self._start_s + following / SAMPLE_RATE, self.talk)
        if self._machine and self._worker:
            self.apply(self._machine.audio(start, _CHUNK[: SAMPLE_BYTES * (self._sent - start)]))
            self._end_if_over()
            self._worker.look()

    def _end_if_over(self) -> None:
        if self._machine and self._sent == self._speech.samples:
            self.apply(self._machine.end())

    def apply(self, effects: list[Effect]) -> None:
        """Do what the machine wants."""
        if self._worker is None or self._machine is None:
            return
        for effect in effects:
            match effect:
                case Decode():
                    self._worker.offer(self, self._machine, effect)
                case Emit(events, covered, checkpoint):
                    self._covered = self._covered if covered is None else covered
                    self._checkpoint = checkpoint or self._checkpoint
                    for event in events:
                        self._show(event)
                case Close(event):
                    self._show(event)

    def _show(self, event: Event) -> None:
        if isinstance(event, Partial):
            self._cover(to_samples(event.end))
        elif isinstance(event, FinalText):
            numbers = self._speech.between(to_samples(event.start), to_samples(event.end))
            self._said += event.text.split()
            if numbers:
                self._cover(self._speech.words[numbers[-1]].end)
                self._fleet.outcome.final_s.append(self._since(self._speech.words[numbers[-1]].end))
        elif isinstance(event, Closed):
            self.closed = True
            if self._worker:
                self._worker.sessions.discard(self)

    def _cover(self, end: int) -> None:
        words = self._speech.words
        while self._shown < len(words) and words[self._shown].end <= end:
            self._fleet.outcome.first_s.append(self._since(words[self._shown].end))
            self._shown += 1

    def _since(self, sample: int) -> float:
        return self._fleet.clock.now - self._start_s - sample / SAMPLE_RATE

    @property
    def is_whole(self) -> bool:
        """Whether it was closed and its finals said every word once and in order."""
        return self.closed and self._said == [f"W{n}" for n in range(len(self._speech.words))]


class Fleet:
    """All of it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.clock = Clock()
        self.outcome = Outcome(slots=case.workers * case.table.slots)
        self._workers = [Worker(self.clock, case, self.outcome, n) for n in range(case.workers)]
        self._clients = [self._client(n) for n in range(case.sessions)]
        self._rng = Random(f"{case.seed} fleet")
        if case.kill_at_s is not None:
            self.clock.at(case.kill_at_s, self._kill)

    def run(self) -> Outcome:
        """Until all sessions are over."""
        self.clock.run()
        self.outcome.ended_s = self.clock.now
        self.outcome.wrong = [client.name for client in self._clients if not client.is_whole]
        return self.outcome

    def least_busy(self) -> Worker:
        """The living worker with the fewest sessions."""
        return min((w for w in self._workers if w.alive), key=lambda w: len(w.sessions))

    def _client(self, number: int) -> Client:
        rng = Random(f"{self.case.seed} session {number}")
        speech = Speech(rng, self.case.duration_s, self.case.profile)
        self.outcome.talk_s += self.case.duration_s
        self.outcome.words += len(speech.words)
        start_s = rng.random() * RAMP_S
        client = Client(str(number), speech, start_s, self)
        self.clock.at(start_s, client.claimed)
        self.clock.at(start_s + CHUNK_SAMPLES / SAMPLE_RATE, client.talk)
        return client

    def _kill(self) -> None:
        """The first worker dies at once. Its leases end within `lease_s` of their last renewal, a quarter
        of that earlier at most; then others find its sessions when they next look."""
        worker = self._workers[0]
        worker.alive = False
        for client in sorted(worker.sessions, key=lambda client: int(client.name)):
            client.lost()
            found_s = self.case.lease_s * (1 - self._rng.random() / 4) + self._rng.random() * _POLL_S
            self.clock.at(self.clock.now + found_s, client.claimed)
            self.outcome.takeovers += 1
        worker.sessions.clear()


def simulate(case: Case) -> Outcome:
    """Play a case to its end."""
    return Fleet(case).run()
