"""What this worker tells of itself once a second, for people who watch; see `shared.redis.system`."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence

from shared.redis.connection import ConnectionLost, RedisError
from shared.redis.system import SESSIONS_TOLD_MAX, Report, Telling, ToldSession
from shared.system import SLOT_S
from shared.tally import Tally

log = logging.getLogger(__name__)


class Recent:
    """The batches that ended within the last `SLOT_S`."""

    def __init__(self) -> None:
        self._batches: deque[tuple[float, int, float, float]] = deque()

    def add(self, at_s: float, decodes: int, took_s: float, audio_s: float) -> None:
        """A batch ended."""
        self._batches.append((at_s, decodes, took_s, audio_s))
        self._forget(at_s)

    def report(
        self,
        now_s: float,
        *,
        age_s: float,
        threads: int,
        sessions: tuple[ToldSession, ...] = (),
        running_s: Iterable[float] = (),
    ) -> Report:
        """What they say of a worker that is so old and decodes on so many threads; `running_s`: for how long
        batches run that have not ended."""
        self._forget(now_s)
        count = len(self._batches)
        took_s = sum(took for _, _, took, _ in self._batches)
        audio_s = sum(audio for _, _, _, audio in self._batches)
        busy_s = took_s + sum(min(SLOT_S, spent_s) for spent_s in running_s)
        return Report(
            age_s=round(age_s, 1),
            batch_size=round(sum(n for _, n, _, _ in self._batches) / count, 2) if count else None,
            busy=round(min(1.0, busy_s / (min(SLOT_S, max(age_s, 1.0)) * threads)), 3),
            real_time_factor=round(took_s / audio_s, 3) if audio_s else None,
            sessions=sessions,
        )

    def _forget(self, now_s: float) -> None:
        while self._batches and self._batches[0][0] < now_s - SLOT_S:
            self._batches.popleft()


class Watched:
    """What the rest of the worker says to whoever watches: counts for all, and figures of its own."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.recent = Recent()

    def batch(self, ended_s: float, decodes: int, took_s: float, audio_s: float) -> None:
        """A batch was decoded; `ended_s` is on the monotonic clock."""
        self.tally.batch(decodes, took_s)
        self.recent.add(ended_s, decodes, took_s, audio_s)


class Reporter:
    """Tells it, as one worker."""

    def __init__(self, telling: Telling, worker: str, watched: Watched, *, threads: int) -> None:
        self._telling = telling
        self._worker = worker
        self._watched = watched
        self._threads = threads
        self._began_s = self._told_s = time.monotonic()
        self._failed = False

    async def tell(self, sessions: Sequence[ToldSession], *, running_s: Iterable[float] = ()) -> None:
        """Tell what is so now; `running_s`: for how long batches run already. What can't be told is lost:
        nobody waits for it."""
        now_s = time.monotonic()
        told = tuple(sorted(sessions, key=lambda session: -session.lag_s)[:SESSIONS_TOLD_MAX])
        report = self._watched.recent.report(
            now_s, age_s=now_s - self._began_s, threads=self._threads, sessions=told, running_s=running_s
        )
        counts = self._counts(now_s, len(sessions))
        try:
            await self._telling.tell(self._worker, report, counts)
            self._failed = False
        except (*ConnectionLost, RedisError) as error:
            # Sessions go on without it.
            if not self._failed:
                log.warning("the worker can't tell what it does: %s", error)
            self._failed = True

    async def leave(self) -> None:
        """Say that the worker stops."""
        with contextlib.suppress(*ConnectionLost, RedisError):
            await self._telling.leave(self._worker, self._counts(time.monotonic(), 0))

    def _counts(self, now_s: float, sessions: int) -> dict[str, float]:
        self._watched.tally.passed(now_s - self._told_s, sessions=sessions, threads=self._threads)
        self._told_s = now_s
        return self._watched.tally.take()
