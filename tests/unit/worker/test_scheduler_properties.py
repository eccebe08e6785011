"""What the scheduler promises whatever is offered to it, and over long runs on a clock of its own."""

import heapq
import itertools
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.decode import DecodeRequest, Kind
from worker.core.scheduler import FILE_WAIT_S, TENANT_SLACK_S, Plan, Scheduler
from worker.core.waiting import Job

REQUESTS = {kind: DecodeRequest(kind=kind, audio=np.zeros(16, np.float32)) for kind in Kind}
LIVE = (Kind.FINAL, Kind.PARTIAL)


@dataclass
class Offered:
    """One step of a random history: a job to offer, or time that passes."""

    key: str
    kind: Kind
    lag_s: float
    after_s: float
    withdraw: bool


def offered() -> st.SearchStrategy[Offered]:
    return st.builds(
        Offered,
        key=st.sampled_from("abcdef"),
        kind=st.sampled_from(list(Kind)),
        lag_s=st.floats(-1.0, 20.0),
        after_s=st.floats(0.0, 5.0),
        withdraw=st.integers(0, 9).map(lambda n: n == 0),
    )


HISTORIES = st.lists(offered(), max_size=60)
TENANTS = dict(zip("abcdef", ["", "", "", "big", "big", "small"], strict=True))


@given(HISTORIES, st.integers(1, 3), st.integers(1, 5), st.randoms(use_true_random=False))
def test_whatever_happens_each_job_is_answered_once_in_order_and_within_bounds(
    history: list[Offered], slots: int, batch_max: int, rng: Random
) -> None:
    scheduler = Scheduler(slots=slots, batch_max=batch_max, batch_s=1.0)
    jobs: list[Job] = []
    gone: list[Job] = []
    started: list[Job] = []
    running: list[Plan] = []
    took_s = 0.1
    now = 0.0

    def start() -> None:
        while plan := scheduler.schedule(now):
            running.append(plan)
            started.extend(plan.jobs)
            assert len(running) <= slots
            assert 1 <= len(plan.jobs) <= batch_max
            assert {item.request.kind for item in plan.jobs} == {plan.kind}

    for step in history:
        now += step.after_s
        job = Job(step.key, len(jobs), REQUESTS[step.kind], now, step.lag_s, TENANTS[step.key])
        jobs.append(job)
        replaced = scheduler.offer(job)
        if replaced:
            assert (replaced.key, replaced.request.kind) == (job.key, Kind.PARTIAL)
            gone.append(replaced)
        if step.withdraw:
            gone += scheduler.withdraw(step.key)
        if rng.random() < 0.7:
            start()
        if running and rng.random() < 0.6:
            scheduler.complete(running.pop(rng.randrange(len(running))), rng.choice([took_s, None]))
    while scheduler.waiting:
        start()
        scheduler.complete(running.pop(0), took_s)
    assert Counter(map(id, started + gone)) == Counter(map(id, jobs))
    for kind in (Kind.FINAL, Kind.FILE):
        for key in TENANTS:
            tickets = [j.ticket for j in started if (j.key, j.request.kind) == (key, kind)]
            assert tickets == sorted(tickets)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 20)), min_size=1, max_size=40))
def test_jobs_of_a_tenant_start_by_their_deadlines(lags: list[tuple[str, float]]) -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    for ticket, (key, lag_s) in enumerate(lags):
        scheduler.offer(Job(f"{key}{ticket}", ticket, REQUESTS[Kind.FINAL], float(ticket), lag_s))
    dues: list[float] = []
    while plan := scheduler.schedule(100.0):
        dues.append(plan.jobs[0].due)
        scheduler.complete(plan)
    assert dues == sorted(dues)


def test_asking_again_keeps_the_place_in_the_line() -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    scheduler.offer(Job("patient", 0, REQUESTS[Kind.PARTIAL], 0.0))
    scheduler.offer(Job("other", 0, REQUESTS[Kind.PARTIAL], 1.0))
    renewed = Job("patient", 1, REQUESTS[Kind.PARTIAL], 2.0)
    scheduler.offer(renewed)
    assert scheduler.schedule(2.0) == Plan((renewed,))


# Long runs: sessions in a closed loop, decodes that take time.


@dataclass
class Loop:
    """A device and its clients on a clock that goes from event to event."""

    scheduler: Scheduler
    cost_s: Callable[[Plan], float]
    slots: int
    now: float = 0.0
    device_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    served: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    plans: list[tuple[float, Plan]] = field(default_factory=list)
    agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    running: int = 0

    def at(self, when: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (when, next(self.numbers), happen))

    def session(self, key: str, tenant: str, *, pause_s: float, kinds: tuple[Kind, ...] = LIVE) -> None:
        """Asks, and asks again `pause_s` after it was answered."""
        turns = itertools.cycle(kinds)

        def ask() -> None:
            self.scheduler.offer(Job(key, 0, REQUESTS[next(turns)], self.now, tenant=tenant))

        self.loops[key] = lambda: self.at(self.now + pause_s, ask)
        self.at(0.001 * len(self.loops), ask)

    loops: dict[str, Callable[[], None]] = field(default_factory=dict)

    def run(self, until_s: float) -> None:
        while self.agenda and self.agenda[0][0] <= until_s:
            self.now, _, happen = heapq.heappop(self.agenda)
            happen()
            while plan := self.scheduler.schedule(self.now):
                self._start(plan)

    def _start(self, plan: Plan) -> None:
        self.running += 1
        assert self.running <= self.slots
        self.plans.append((self.now, plan))
        took_s = self.cost_s(plan)

        def done() -> None:
            self.running -= 1
            self.scheduler.complete(plan, took_s)
            for job in plan.jobs:
                self.device_s[job.tenant] += took_s / len(plan.jobs)
                self.served[job.key].append(self.now)
                if again := self.loops.get(job.key):
                    again()

        self.at(self.now + took_s, done)


def flat(plan: Plan) -> float:
    """0.1 s a job, half a second for a window of a file."""
    return {Kind.FINAL: 0.2, Kind.PARTIAL: 0.1, Kind.FILE: 0.5}[plan.kind] * len(plan.jobs)


def loop(slots: int = 1, batch_max: int = 4, weights: dict[str, float] | None = None) -> Loop:
    scheduler = Scheduler(slots=slots, batch_max=batch_max, batch_s=0.6, weights=weights)
    return Loop(scheduler, flat, slots)


@pytest.mark.parametrize("slots", [1, 2])
def test_a_tenant_with_one_session_is_served_as_if_the_crowd_of_another_were_one(slots: int) -> None:
    device = loop(slots)
    device.session("single", "small", pause_s=0.5)
    for n in range(100):
        device.session(f"crowd-{n}", "large", pause_s=0.5)
    device.run(300.0)
    waits = np.diff(device.served["single"])
    # Its pause, its own batch, what the slack lets the others' finals have, and one batch that runs.
    assert waits.max() <= 0.5 + 0.8 + TENANT_SLACK_S + 2 * 0.8
    crowd = [len(device.served[f"crowd-{n}"]) for n in range(100)]
    assert min(crowd) >= 0.9 * max(crowd) - 1


@settings(max_examples=15)
@given(
    st.dictionaries(st.sampled_from("wxyz"), st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=2),
    st.integers(1, 2),
    st.integers(3, 12),
)
def test_tenants_that_want_all_get_shares_by_their_weights(
    weights: dict[str, float], slots: int, sessions: int
) -> None:
    device = loop(slots, weights=weights)
    for place, tenant in enumerate(weights):
        # Enough sessions that none is limited by its own pauses.
        for n in range(12 + sessions * (place + 1)):
            device.session(f"{tenant}{n}", tenant, pause_s=0.0, kinds=(Kind.PARTIAL,))
    device.run(200.0)
    whole = sum(device.device_s.values())
    assert whole >= 0.95 * slots * 200
    for tenant, weight in weights.items():
        assert device.device_s[tenant] / whole == pytest.approx(weight / sum(weights.values()), abs=0.03)


def test_a_tenant_that_was_idle_has_earned_nothing() -> None:
    device = loop()
    for n in range(20):
        device.session(f"early-{n}", "early", pause_s=0.0, kinds=(Kind.PARTIAL,))
    device.run(100.0)
    before = device.device_s["early"]
    for n in range(20):
        device.session(f"late-{n}", "late", pause_s=0.0, kinds=(Kind.PARTIAL,))
    device.run(200.0)
    assert device.device_s["late"] == pytest.approx(device.device_s["early"] - before, rel=0.05)


@settings(max_examples=25)
@given(st.integers(1, 3), st.integers(2, 40), st.floats(0.0, 2.0))
def test_no_session_starves(slots: int, sessions: int, pause_s: float) -> None:
    device = loop(slots)
    for n in range(sessions):
        device.session(str(n), "", pause_s=pause_s)
    device.run(120.0)
    counts = [len(device.served[str(n)]) for n in range(sessions)]
    # A round of all sessions costs each a final and a partial.
    round_s = 2 * pause_s + sessions * 0.3 / slots + 2 * 0.8
    assert min(counts) >= 2 * math.floor(120.0 / round_s) - 2


def with_files(device: Loop, count: int) -> None:
    for n in range(count):
        device.scheduler.offer(Job(f"file/{n}", 0, REQUESTS[Kind.FILE], 0.0))


@pytest.mark.parametrize("slots", [1, 2])
def test_files_fill_what_live_work_leaves(slots: int) -> None:
    device = loop(slots)
    for n in range(4):
        device.session(str(n), "", pause_s=2.0)
    with_files(device, 40)
    device.run(60.0)
    assert all(device.served[f"file/{n}"] for n in range(40))


@pytest.mark.parametrize("slots", [1, 2])
def test_files_move_on_a_saturated_device_and_live_work_waits_for_one_window_at_most(slots: int) -> None:
    device = loop(slots)
    for n in range(40):
        device.session(str(n), "", pause_s=0.0)
    with_files(device, 40)
    device.run(10 * FILE_WAIT_S + 5.0)
    starts = [at for at, plan in device.plans if plan.kind is Kind.FILE and at > 0.01]
    assert len(starts) in (9, 10)
    assert min(np.diff(starts)) >= FILE_WAIT_S


def test_urgent_windows_wait_less_for_a_saturated_device_and_still_take_a_tenth_of_it_at_most() -> None:
    device = loop()
    for n in range(40):
        device.session(str(n), "", pause_s=0.0)
    with_files(device, 10)
    for n in range(10):
        device.scheduler.offer(Job(f"urgent/{n}", 0, REQUESTS[Kind.FILE], 0.0, urgent=True))
    device.run(60.0)
    starts = [at for at, plan in device.plans if plan.kind is Kind.FILE and at > 0.01]
    assert all(device.served[f"urgent/{n}"] for n in range(10))
    window_s = flat(next(plan for _, plan in device.plans if plan.kind is Kind.FILE))
    assert min(np.diff(starts)) >= 10 * window_s


def test_dear_windows_take_a_tenth_of_a_saturated_device() -> None:
    device = loop()
    device.cost_s = lambda plan: 20.0 if plan.kind is Kind.FILE else flat(plan)
    for n in range(40):
        device.session(str(n), "", pause_s=0.0)
    with_files(device, 40)
    device.run(4000.0)
    windows = sum(plan.kind is Kind.FILE for _, plan in device.plans)
    assert 15 <= windows <= 20


# Load


def test_load_grows_with_the_sessions_beyond_what_the_device_can_do() -> None:
    loads: deque[float] = deque()
    for sessions in (1, 4, 16, 64):
        device = loop(2)
        for n in range(sessions):
            device.session(str(n), "", pause_s=1.0)
        device.run(90.0)
        loads.append(device.scheduler.load(90.0))
    assert loads[0] < 0.3
    assert list(loads) == sorted(loads)
    assert loads[-1] > 2


def test_load_falls_back_to_nothing_when_sessions_go() -> None:
    device = loop()
    for n in range(8):
        device.session(str(n), "", pause_s=0.5)
    device.run(60.0)
    assert device.scheduler.load(60.0) > 0.5
    assert device.scheduler.load(600.0) < 0.01


def test_load_is_what_finals_and_timely_partials_cost() -> None:
    device = loop()
    # A final and a partial in turn, every 1.5 s each: 0.2 s in 3 s for finals; 0.1 s a second for partials.
    device.session("a", "", pause_s=1.35)
    device.run(200.0)
    assert device.scheduler.load(200.0) == pytest.approx(0.2 / 3.0 + 0.1, rel=0.15)
