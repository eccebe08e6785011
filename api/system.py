"""`GET /v1/system`: what the service is doing, for people who watch it. docs/system.md says who sees what.

Everything is read from Redis, so every edge says the same. One look is made for all who ask within a second.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from api.auth import is_operator, tenant_of
from api.system_history import History
from shared.codec import to_map
from shared.redis.connection import ConnectionLost
from shared.redis.presence import Presence, WorkerPresence
from shared.redis.system import Report, Telling, Told, ToldSession, WaitingSession
from shared.system import (
    LOOK_S,
    SESSION_ID_CHARS,
    SESSIONS_MAX,
    Fleet,
    JobCounts,
    Sample,
    SessionSight,
    System,
    WorkerSight,
)

_SESSIONS_ASKED_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """One look."""

    at_s: float
    """On the event loop's clock."""
    told: Told
    workers: Sequence[WorkerPresence]
    waiting: Sequence[WaitingSession]
    jobs: JobCounts | None
    minute: Sample
    hour: Sample
    samples: tuple[Sample, ...]


class Lookout:
    """Looks at Redis, once a second at most. Raises what `ConnectionLost` lists."""

    def __init__(
        self, telling: Telling, presence: Presence, count_jobs: Callable[[], JobCounts] | None
    ) -> None:
        self._telling = telling
        self._presence = presence
        self._count_jobs = count_jobs
        self._lock = asyncio.Lock()
        self._seen: Seen | None = None
        self._history = History()

    async def seen(self) -> Seen:
        """What was seen within the last second."""
        async with self._lock:
            now_s = asyncio.get_running_loop().time()
            if self._seen is None or now_s - self._seen.at_s >= LOOK_S:
                told = await self._telling.told(self._history.newest)
                workers = await self._presence.workers()
                waiting, jobs = await self._telling.waiting(), await self._jobs()
                history, at_s = self._history, told.now_s
                history.add(told.history, at_s)
                known = (history.minute(at_s), history.hour(at_s), history.samples(at_s))
                self._seen = Seen(now_s, told, workers, waiting, jobs, *known)
            return self._seen

    async def _jobs(self) -> JobCounts | None:
        if self._count_jobs is None:
            return None
        try:
            return await run_sync(self._count_jobs)
        except ConnectionLost:  # a server of their own
            return None


def system_router(lookout: Lookout) -> APIRouter:
    """The one route."""
    router = APIRouter(tags=["system"])

    @router.get("/v1/system")
    async def system(
        request: Request,
        after: Annotated[int, Query(ge=0)] = 0,
        sessions: Annotated[int, Query(ge=0, le=_SESSIONS_ASKED_MAX)] = SESSIONS_MAX,
    ) -> Response:
        """Workers, sessions, capacity, backlog, and the last hour; to a tenant its own sessions."""
        seen = await lookout.seen()
        tenant = None if is_operator(request) else tenant_of(request)
        # In a thread: a large fleet takes tens of milliseconds, in which live sessions would stand still.
        found = await run_sync(partial(_written, seen, tenant=tenant, after=after, sessions=sessions))
        return Response(found, media_type="application/json", headers={"Cache-Control": "no-store"})

    return router


def _written(seen: Seen, *, tenant: str | None, after: int, sessions: int) -> bytes:
    found = described(seen, tenant=tenant, after=after, sessions=sessions)
    return json.dumps(to_map(found), ensure_ascii=False, separators=(",", ":")).encode()


def described(seen: Seen, *, tenant: str | None, after: int, sessions: int) -> System:
    """What a tenant may know of it; None is an operator. Pure."""
    rows = _sessions(seen, tenant)
    listed = tuple(sorted(rows, key=lambda row: (-row.lag_s, -row.age_s, row.id))[:sessions])
    now = round(seen.told.now_s, 3)
    if tenant is not None:
        return System(scope="tenant", now=now, sessions_total=len(rows), sessions=listed)
    fleet = _fleet(seen, after)
    # Workers tell of so many of their sessions only.
    total = max(len(rows), fleet.sessions + fleet.waiting)
    return System(scope="all", now=now, sessions_total=total, sessions=listed, fleet=fleet)


def _sessions(seen: Seen, tenant: str | None) -> list[SessionSight]:
    now_s = seen.told.now_s
    living = {worker.worker for worker in seen.workers}
    rows: dict[str, SessionSight] = {}
    for session in seen.waiting:
        if tenant in (None, session.config.tenant):
            row = _waiting(session, now_s)
            rows[row.id] = row
    # The latest report comes last: a session that has just moved is told of by two.
    for worker, report in seen.told.reports.items():
        if worker in living:
            for session in report.sessions:
                if tenant in (None, session.tenant):
                    rows[session.id] = _told(session, now_s, worker if tenant is None else None)
    return list(rows.values())


def _waiting(session: WaitingSession, now_s: float) -> SessionSight:
    return SessionSight(
        id=session.id[:SESSION_ID_CHARS],
        tenant=session.config.tenant,
        surface=session.config.surface,
        state="waiting",
        age_s=_age(now_s, session.since_s),
    )


def _told(session: ToldSession, now_s: float, worker: str | None) -> SessionSight:
    return SessionSight(
        id=session.id,
        tenant=session.tenant,
        surface=session.surface,
        state=session.state,
        age_s=_age(now_s, session.opened_s) if session.opened_s else session.audio_s,
        audio_s=session.audio_s,
        lag_s=session.lag_s,
        worker=worker,
    )


def _fleet(seen: Seen, after: int) -> Fleet:
    workers, told = seen.workers, seen.told
    return Fleet(
        workers=tuple(_worker(worker, told.reports.get(worker.worker)) for worker in workers),
        sessions=sum(worker.active for worker in workers),
        capacity=sum(worker.capacity for worker in workers),
        free=sum(worker.free for worker in workers),
        waiting=len(seen.waiting),
        oldest_waiting_s=max((_age(told.now_s, session.since_s) for session in seen.waiting), default=0.0),
        oldest_unserved_s=max((worker.oldest_unserved_s for worker in workers), default=0.0),
        jobs=seen.jobs,
        minute=seen.minute,
        hour=seen.hour,
        history=tuple(sample for sample in seen.samples if sample.at >= after),
    )


def _worker(worker: WorkerPresence, report: Report | None) -> WorkerSight:
    return WorkerSight(
        id=worker.worker,
        model=worker.model,
        device=worker.device,
        state="draining" if worker.draining else "ready" if worker.free else "full",
        sessions=worker.active,
        capacity=worker.capacity,
        load=worker.load,
        oldest_unserved_s=worker.oldest_unserved_s,
        age_s=report.age_s if report else None,
        batch_size=report.batch_size if report else None,
        busy=report.busy if report else None,
        real_time_factor=report.real_time_factor if report else None,
    )


def _age(now_s: float, since_s: float) -> float:
    """Not below 0: Redis's clock may have been set back."""
    return round(max(0.0, now_s - since_s), 1)
