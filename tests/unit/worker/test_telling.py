"""What a worker tells of itself."""

import logging
from collections.abc import Mapping
from typing import cast

import pytest

from shared.redis.connection import RedisError
from shared.redis.system import SESSIONS_TOLD_MAX, Report, Telling, ToldSession
from shared.system import SLOT_S
from worker.telling import Recent, Reporter, Watched

pytestmark = pytest.mark.anyio


class Broken:
    """A Redis that has something against scripts."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.reports: list[Report] = []

    async def tell(self, worker: str, report: Report, counts: Mapping[str, float]) -> None:
        if self.fails:
            raise RedisError("NOPERM")
        self.reports.append(report)

    async def leave(self, worker: str, counts: Mapping[str, float]) -> None:
        raise RedisError("NOPERM")


async def test_a_worker_that_can_t_tell_works_on_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    redis = Broken(fails=True)
    reporter = Reporter(cast(Telling, redis), "w", Watched(), threads=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await reporter.tell([])
    assert [record.getMessage() for record in caplog.records] == [
        "the worker can't tell what it does: NOPERM"
    ]
    redis.fails = False
    await reporter.tell([])
    assert len(redis.reports) == 1
    await reporter.leave()


async def test_of_many_sessions_those_that_lag_most_are_told() -> None:
    redis = Broken(fails=False)
    sessions = [ToldSession(id=str(n), state="speaking", lag_s=float(n)) for n in range(1000)]
    await Reporter(cast(Telling, redis), "w", Watched(), threads=1).tell(sessions)
    told = redis.reports[0].sessions
    assert len(told) == SESSIONS_TOLD_MAX
    assert told[0].lag_s == 999.0
    assert min(session.lag_s for session in told) == 1000 - SESSIONS_TOLD_MAX


def test_figures_are_of_the_last_stretch() -> None:
    recent = Recent()
    recent.add(0.0, decodes=9, took_s=9.0, audio_s=9.0)
    recent.add(12.0, decodes=1, took_s=1.0, audio_s=10.0)
    recent.add(14.0, decodes=3, took_s=2.0, audio_s=20.0)
    report = recent.report(15.0, age_s=100.0, threads=2)
    assert (report.batch_size, report.real_time_factor) == (2.0, 0.1)
    assert report.busy == pytest.approx(3.0 / (2 * SLOT_S))
    still = recent.report(15.0, age_s=100.0, threads=2, running_s=[4.0, 60.0])
    assert still.busy == pytest.approx((3.0 + 4.0 + SLOT_S) / (2 * SLOT_S))
    empty = recent.report(100.0, age_s=100.0, threads=2)
    assert (empty.batch_size, empty.real_time_factor, empty.busy) == (None, None, 0.0)
