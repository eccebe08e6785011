"""What comes next on a device, as plain data."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worker.core.decode import DecodeRequest, Kind
from worker.core.scheduler import Plan, Scheduler
from worker.core.waiting import Job

REQUESTS = {kind: DecodeRequest(kind=kind, audio=np.zeros(16, np.float32)) for kind in Kind}


def job(key: str, kind: Kind = Kind.PARTIAL, since: float = 0.0, ticket: int = 0) -> Job:
    return Job(key, ticket, REQUESTS[kind], since)


def keys(plan: Plan | None) -> list[str]:
    return [job.key for job in plan.jobs] if plan else []


def test_finals_come_before_partials_and_partials_before_files() -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    for item in (job("file", Kind.FILE), job("b"), job("a", Kind.FINAL)):
        scheduler.offer(item)
    order = []
    while plan := scheduler.schedule(0.0):
        order += keys(plan)
        scheduler.complete(plan)
    assert order == ["a", "b", "file"]


def test_urgent_windows_of_files_come_before_the_others_and_behind_live_work() -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    later = Job("urgent", 0, REQUESTS[Kind.FILE], since=9.0, urgent=True)
    for item in (job("1", Kind.FILE), job("2", Kind.FILE, since=1.0), later, job("live")):
        scheduler.offer(item)
    order = []
    while plan := scheduler.schedule(9.0):
        order += keys(plan)
        scheduler.complete(plan)
    assert order == ["live", "urgent", "1", "2"]


def test_a_newer_partial_replaces_the_one_that_waits() -> None:
    scheduler = Scheduler(slots=1, batch_max=4)
    old, new = job("a", ticket=1), job("a", ticket=2)
    assert scheduler.offer(old) is None
    assert scheduler.offer(new) is old
    assert scheduler.schedule(0.0) == Plan((new,))


def test_a_final_replaces_the_partial_of_its_session() -> None:
    scheduler = Scheduler(slots=1, batch_max=4)
    partial = job("a")
    scheduler.offer(partial)
    assert scheduler.offer(job("a", Kind.FINAL)) is partial
    assert scheduler.waiting == 1


def test_who_was_served_longest_ago_is_next() -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    served = []
    for now in range(6):
        for key in ("a", "b", "c"):
            scheduler.offer(job(key, since=float(now)))
        plan = scheduler.schedule(float(now))
        assert plan
        served += keys(plan)
        scheduler.complete(plan)
    assert sorted(served[:3]) == sorted(served[3:]) == ["a", "b", "c"]


def test_batches_hold_one_kind_and_are_bounded() -> None:
    scheduler = Scheduler(slots=1, batch_max=3)
    for key in "abcde":
        scheduler.offer(job(key))
    assert len(keys(scheduler.schedule(0.0))) == 3


def test_free_slots_are_filled_before_batches_grow() -> None:
    scheduler = Scheduler(slots=2, batch_max=8)
    for key in "abcd":
        scheduler.offer(job(key))
    assert [len(keys(scheduler.schedule(0.0))) for _ in range(3)] == [2, 2, 0]


def test_one_slot_is_kept_free_of_files_for_live_work() -> None:
    scheduler = Scheduler(slots=2, batch_max=1)
    scheduler.offer(job("one", Kind.FILE))
    scheduler.offer(job("two", Kind.FILE))
    assert keys(scheduler.schedule(0.0)) == ["one"]
    assert scheduler.schedule(0.0) is None
    scheduler.offer(job("live"))
    assert keys(scheduler.schedule(0.0)) == ["live"]


def test_what_a_gone_session_waits_for_is_taken_back() -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    mine = [job("a", Kind.FINAL), job("a", Kind.FILE)]
    for item in (*mine, job("b")):
        scheduler.offer(item)
    assert scheduler.withdraw("a") == mine
    assert keys(scheduler.schedule(0.0)) == ["b"]


def test_the_oldest_live_wait_is_known_and_files_do_not_count() -> None:
    scheduler = Scheduler(slots=1, batch_max=1)
    assert scheduler.oldest_since() is None
    for item in (job("f", Kind.FILE, 1.0), job("b", since=3.0), job("a", Kind.FINAL, 2.0)):
        scheduler.offer(item)
    assert scheduler.oldest_since() == 2.0


OFFERS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Kind))), max_size=40)


@given(OFFERS, st.integers(1, 3), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_job_is_run_once_or_replaced_and_bounds_hold(
    offers: list[tuple[str, Kind]], slots: int, batch_max: int, rng: Random
) -> None:
    scheduler = Scheduler(slots=slots, batch_max=batch_max)
    offered, replaced, ran = [], [], []
    running: list[Plan] = []

    def start() -> bool:
        plan = scheduler.schedule(0.0)
        if plan is None:
            return False
        running.append(plan)
        ran.extend(plan.jobs)
        assert len(running) <= slots
        assert len(plan.jobs) <= batch_max
        assert {item.request.kind for item in plan.jobs} == {plan.kind}
        return True

    for now, (key, kind) in enumerate(offers):
        offered.append(job(key, kind, float(now)))
        if old := scheduler.offer(offered[-1]):
            replaced.append(old)
        if rng.random() < 0.5:
            start()
        if running and rng.random() < 0.5:
            scheduler.complete(running.pop())
    while scheduler.waiting:
        if not start():
            scheduler.complete(running.pop(0))
    assert all(item.request.kind is Kind.PARTIAL for item in replaced)
    assert sorted(map(id, ran + replaced)) == sorted(map(id, offered))


def test_a_batch_takes_no_more_than_fits_into_its_time() -> None:
    scheduler = Scheduler(slots=1, batch_max=8, batch_s=0.6)
    sizes: list[int] = []
    for _ in range(40):
        for name in "abcdefgh":
            scheduler.offer(job(name))
        plan = scheduler.schedule(0.0)
        assert plan is not None
        sizes.append(len(plan.jobs))
        scheduler.complete(plan, took_s=0.15 * len(plan.jobs))
    assert sizes[0] == 1
    assert set(sizes[1:]) == {4}


def test_dear_jobs_go_one_by_one_and_kinds_are_measured_apart() -> None:
    scheduler = Scheduler(slots=1, batch_max=8, batch_s=0.6)
    for kind, took_s in ((Kind.FINAL, 0.9), (Kind.PARTIAL, 0.2)):
        scheduler.offer(job("first", kind))
        plan = scheduler.schedule(0.0)
        assert plan is not None
        scheduler.complete(plan, took_s=took_s)
    for name in "abc":
        scheduler.offer(job(name, Kind.FINAL))
        scheduler.offer(job(name + name))
    sizes: list[tuple[Kind, int]] = []
    while plan := scheduler.schedule(0.0):
        sizes.append((plan.kind, len(plan.jobs)))
        scheduler.complete(plan)
    assert sizes == [(Kind.FINAL, 1)] * 3 + [(Kind.PARTIAL, 3)]
