"""What is known of file jobs: RQ's view of them as a client sees it. Blocking; changes nothing."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final, cast

from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.queue import Queue
from rq.registry import StartedJobRegistry

from shared import jobs
from shared.codec import CodecError, from_map
from shared.jobs import JobProblem, JobRecord
from shared.redis.connection import SyncRedis
from shared.redis.keys import Keys
from shared.redis.windows import WindowQueue
from shared.system import JobCounts

_DIED: Final = JobProblem(
    code="internal",
    message="the job's process died several times; send the file again, and look into the server's log if "
    "that does not help",
    retryable=True,
)


class JobRecords:
    """All jobs of one deployment. `windows` is the workers' server, which may be another than RQ's."""

    def __init__(self, client: SyncRedis, windows: SyncRedis, keys: Keys) -> None:
        self._client = client
        self._windows = windows
        self._keys = keys

    def fetch(self, job_id: str) -> Job:
        """RQ's job. Raises `NoSuchJobError`."""
        return Job.fetch(job_id, connection=self._client, serializer="json")

    def find(self, job_id: str) -> Job | None:
        """RQ's job, if RQ knows it."""
        try:
            return self.fetch(job_id)
        except NoSuchJobError:
            return None

    def find_many(self, job_ids: list[str]) -> list[Job | None]:
        """As `find`, of all at once."""
        try:
            return list(Job.fetch_many(job_ids, self._client, serializer="json"))
        except NoSuchJobError:  # one was deleted as a worker took it, which wrote to it once more
            return [self.find(job_id) for job_id in job_ids]

    def record(self, job_id: str, job: Job | None) -> JobRecord | None:
        """The job, whether or not RQ knows it still; None when nobody does."""
        if job is not None:
            return _record_of(job, is_cancelled=lambda: self.windows(job_id).is_cancelled())
        if self.windows(job_id).is_cancelled():
            return JobRecord(id=job_id, status=jobs.CANCELLED, progress=0.0)
        return None

    def owner(self, job_id: str, job: Job | None) -> str | None:
        """Whose job it is; None when nobody knows it."""
        if job is None:
            return self.windows(job_id).cancelled_by()
        meta: dict[str, Any] = job.meta
        return str(meta.get(jobs.META_TENANT, ""))

    def windows(self, job_id: str) -> WindowQueue:
        """Its windows at the workers."""
        return WindowQueue(self._windows, self._keys, job_id)

    def queue(self, name: str) -> Queue:
        """A queue of RQ's."""
        return Queue(name, connection=self._client, serializer="json")

    def position(self, job: Job) -> int | None:
        """How many jobs begin before one that waits; None when it does not any more."""
        names = tuple(jobs.QUEUES.values())
        queues = [self.queue(name).key for name in names]
        own = names.index(job.origin)
        asked = self._client.pipeline(transaction=False)
        for queue in queues[:own]:
            asked.llen(queue)
        asked.lpos(queues[own], job.id)
        *higher, place = cast(list[int | None], asked.execute())
        return None if place is None else place + sum(filter(None, higher))

    def counts(self) -> JobCounts:
        """The jobs that have not ended, of all tenants."""
        queued = {priority: self.queue(name).count for priority, name in jobs.QUEUES.items()}
        running = sum(
            StartedJobRegistry(name, connection=self._client, serializer="json").get_job_count(cleanup=False)
            for name in jobs.QUEUES.values()
        )
        return JobCounts(queued=queued, running=running)


def _record_of(job: Job, *, is_cancelled: Callable[[], bool]) -> JobRecord:
    """The record. `is_cancelled` tells of a job that has not ended whether somebody asked for that."""
    meta: dict[str, Any] = job.meta
    status = jobs.status_word(job.get_status(refresh=False).value)
    ended = status in (jobs.FINISHED, jobs.FAILED)
    if meta.get(jobs.META_CANCELLED) or (not ended and is_cancelled()):
        status = jobs.CANCELLED
    return JobRecord(
        id=job.id,
        status=status,
        progress=float(meta.get(jobs.META_PROGRESS, 0.0)),
        error=_problem(meta) if status == jobs.FAILED else None,
        warning=meta.get(jobs.META_WARNING),
        name=meta.get(jobs.META_NAME) or None,
        duration=meta.get(jobs.META_DURATION),
        channels=meta.get(jobs.META_CHANNELS),
        sha256=meta.get(jobs.META_SHA256),
        priority=meta.get(jobs.META_PRIORITY),
        created_at=_rfc3339(job.created_at),
        started_at=None if status == jobs.QUEUED else _rfc3339(job.started_at),
        ended_at=_rfc3339(job.ended_at) if ended else None,
    )


def _problem(meta: dict[str, Any]) -> JobProblem:
    try:
        return from_map(JobProblem, meta.get(jobs.META_ERROR))
    except CodecError:
        return _DIED


def _rfc3339(moment: dt.datetime | None) -> str | None:
    if moment is None:
        return None
    known = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return known.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
