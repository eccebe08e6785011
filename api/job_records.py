"""RQ's view of a job as a client sees it."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from rq.job import Job

from shared import jobs
from shared.codec import CodecError, from_map
from shared.jobs import JobProblem, JobRecord

_DIED: Final = JobProblem(
    code="internal",
    message="the job's process died several times; send the file again, and look into the server's log if "
    "that does not help",
    retryable=True,
)


def record_of(job: Job, *, is_cancelled: Callable[[], bool]) -> JobRecord:
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
