"""Deletes jobs at once and wholly, whatever they are doing. Blocking, as `JobDesk`."""

import time
from typing import Any, Final

from rq.job import Job, JobStatus
from rq.results import Result

from api.job_desk import DeskParts, JobDesk
from api.job_records import JobRecords
from shared import jobs
from shared.errors import Unavailable
from shared.redis.deliveries import Deliveries
from shared.redis.job_index import JobIndex

_REMEMBERED_S: Final = 3600
"""How long it is remembered of an erased job that it was cancelled."""
_WAIT_S: Final = 10.0
"""For the job's process to end."""
_LOOK_S: Final = 0.1
_RETRY_AFTER_S: Final = 1.0


class JobEraser:
    """Of one deployment."""

    def __init__(self, parts: DeskParts, desk: JobDesk) -> None:
        self._parts = parts
        self._desk = desk
        self._jobs = JobRecords(parts.client, parts.windows, parts.keys)
        self._index = JobIndex(parts.client, parts.keys)
        self._deliveries = Deliveries(parts.client, parts.keys, ttl_s=parts.ttl_s)

    def erase(self, job_id: str) -> None:
        """Leave nothing of a job behind: neither files, nor windows on their way, nor names. That it was
        cancelled is remembered for an hour, since its process may not have noticed.

        Raises `NotFound` when nothing is known of the job, and `Unavailable` while its process is still
        ending: it is to be erased again then.
        """
        record = self._desk.find(job_id)
        windows = self._jobs.windows(job_id)
        job = self._jobs.find(job_id)
        owner = self._jobs.owner(job_id, job) or ""
        windows.cancel(_REMEMBERED_S, tenant=owner, erase=True)
        if job is not None and not record.is_over:
            self._jobs.queue(job.origin).remove(job)
        self._parts.storage.delete(job_id)
        self._wait(job_id)
        windows.withdraw()
        windows.clear()
        self._parts.storage.delete(job_id)  # its process may have written meanwhile
        self._deliveries.erase(job_id)
        if key := _meta(job).get(jobs.META_KEY):
            self._index.forget_key(str(key))
        self._index.remove([job_id])
        self._forget(job_id, owner, is_over=record.is_over)

    def _wait(self, job_id: str) -> None:
        """Until no process has the job. Raises `Unavailable`."""
        deadline_s = time.monotonic() + _WAIT_S
        while (job := self._jobs.find(job_id)) and job.get_status(refresh=False) == JobStatus.STARTED:
            if time.monotonic() > deadline_s:
                raise Unavailable("the job is being stopped; ask again", retry_after_s=_RETRY_AFTER_S)
            time.sleep(_LOOK_S)

    def _forget(self, job_id: str, owner: str, *, is_over: bool) -> None:
        """What RQ knows. A record that a worker may write to in this moment stays for a while, empty: one
        that was deleted would come back, for ever."""
        job = self._jobs.find(job_id)
        if job is None:
            return
        Result.delete_all(job)
        if is_over:
            job.delete()
            return
        job.meta = {jobs.META_CANCELLED: True, jobs.META_TENANT: owner}
        job.save_meta()
        self._parts.client.expire(job.key, _REMEMBERED_S)


def _meta(job: Job | None) -> dict[str, Any]:
    return {} if job is None else job.meta
