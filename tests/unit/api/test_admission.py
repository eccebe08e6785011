"""New sessions are let in as long as they have a chance to be served."""

import pytest

from api.admission import WAITING_MAX, admit
from shared.errors import NoCapacity
from shared.redis.presence import WorkerPresence


def worker(
    *, capacity: int, active: int, draining: bool = False, load: float = 0.0, load_max: float = 0.0
) -> WorkerPresence:
    return WorkerPresence(
        worker=f"w{capacity}",
        model="m",
        device="cpu",
        languages=("en",),
        capacity=capacity,
        active=active,
        draining=draining,
        load=load,
        load_max=load_max,
    )


@pytest.mark.parametrize(
    ("workers", "waiting"),
    [
        ([worker(capacity=4, active=0)], 0),
        ([worker(capacity=4, active=0)], 4),
        ([worker(capacity=4, active=4)], WAITING_MAX - 1),
        ([worker(capacity=40, active=0), worker(capacity=2, active=2)], 40 + WAITING_MAX - 1),
        ([], 0),
    ],
)
def test_one_that_may_be_served_is_let_in(workers: list[WorkerPresence], waiting: int) -> None:
    admit(workers, waiting, retry_after_s=10.0)


@pytest.mark.parametrize(
    "workers",
    [[worker(capacity=4, active=4)], [worker(capacity=4, active=0, draining=True)], []],
)
def test_one_behind_too_many_others_is_told_when_to_come_back(workers: list[WorkerPresence]) -> None:
    with pytest.raises(NoCapacity) as caught:
        admit(workers, WAITING_MAX, retry_after_s=10.0)
    assert caught.value.retry_after_s == 10.0
    assert caught.value.retryable


def test_nobody_is_let_in_where_no_device_keeps_up_with_more() -> None:
    loaded = worker(capacity=64, active=6, load=1.1, load_max=1.0)
    for workers in ([loaded], [loaded, worker(capacity=64, active=0, draining=True)]):
        with pytest.raises(NoCapacity) as refused:
            admit(workers, 0, retry_after_s=10.0)
        assert refused.value.retry_after_s == 10.0
    admit([loaded, worker(capacity=64, active=5, load=0.9, load_max=1.0)], 0, retry_after_s=10.0)
    admit([worker(capacity=64, active=6, load=1.1)], 0, retry_after_s=10.0)  # without a bound


@pytest.mark.parametrize(
    ("active", "load", "free"),
    [(0, 0.0, 64), (1, 0.25, 3), (4, 0.75, 1), (5, 0.9, 0), (6, 1.0, 0), (63, 0.1, 1)],
)
def test_room_is_what_sessions_like_those_that_are_there_would_want(
    active: int, load: float, free: int
) -> None:
    assert worker(capacity=64, active=active, load=load, load_max=1.0).free == free
