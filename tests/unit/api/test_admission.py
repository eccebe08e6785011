"""New sessions are let in as long as they have a chance to be served."""

import pytest

from api.admission import WAITING_MAX, admit
from shared.errors import NoCapacity
from shared.redis.presence import WorkerPresence


def worker(*, capacity: int, active: int, draining: bool = False) -> WorkerPresence:
    return WorkerPresence(
        worker=f"w{capacity}",
        model="m",
        device="cpu",
        languages=("en",),
        capacity=capacity,
        active=active,
        draining=draining,
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
