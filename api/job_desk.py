"""File jobs as the edge sees them: take in, look up, hand out, cancel. Blocking; `api.jobs` calls it in
threads.

RQ holds the state of a job, `shared.storage` its files. Every call raises what redis-py raises when Redis
can't be reached (`ConnectionLost`); `api.faults` answers that.
"""

import contextlib
import uuid
from typing import IO, Any, Final

from rq import Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job

from shared import jobs
from shared.audio.media import probe
from shared.codec import CodecError, from_map
from shared.errors import NotFinished, NotFound, Unavailable
from shared.jobs import JobOptions, JobProblem, JobRecord, check_job_id
from shared.redis.connection import SyncRedis
from shared.redis.keys import Keys
from shared.redis.windows import WindowQueue
from shared.storage import JobStorage
from shared.transcript import Transcript

_RETRY_AFTER_S: Final = 1.0
_DIED: Final = JobProblem(
    code="internal",
    message="the job's process died several times; send the file again, and look into the server's log if "
    "that does not help",
    retryable=True,
)


class JobDesk:
    """All file jobs of one deployment. `ttl_s` is how long an ended job is kept, `timeout_s` how long one
    attempt may take."""

    def __init__(
        self,
        client: SyncRedis,
        keys: Keys,
        storage: JobStorage,
        *,
        ttl_s: int,
        timeout_s: int,
        windows: SyncRedis | None = None,
    ) -> None:
        """`client` is of RQ's server, `windows` of that of the workers if it is another."""
        self._client = client
        self._windows_client = windows or client
        self._keys = keys
        self._storage = storage
        self._ttl_s = ttl_s
        self._timeout_s = timeout_s

    def submit(self, upload: IO[bytes], options: JobOptions) -> JobRecord:
        """Keep the upload, look whether it is audio, and queue it. Raises `BadAudio`, and `Unavailable` when
        it can't be stored."""
        job_id = uuid.uuid4().hex
        try:
            probe(self._storage.create(job_id, upload, options))
            self._enqueue(job_id)
        except OSError as error:
            self._storage.delete(job_id)
            raise Unavailable("the upload can't be stored; the server's disk may be full") from error
        except BaseException:
            self._storage.delete(job_id)
            raise
        return JobRecord(id=job_id, status=jobs.QUEUED, progress=0.0)

    def find(self, job_id: str) -> JobRecord:
        """The job now. Raises `NotFound`."""
        check_job_id(job_id)
        try:
            return self._record(self._fetch(job_id))
        except NoSuchJobError:
            if self._windows(job_id).is_cancelled():
                return JobRecord(id=job_id, status=jobs.CANCELLED, progress=0.0)
            raise NotFound("no such job; an ended job is kept for a limited time") from None

    def result(self, job_id: str) -> Transcript:
        """The transcript. Raises `NotFinished` while there is none yet, `NotFound` when there never
        will be one."""
        record = self.find(job_id)
        if record.status in (jobs.QUEUED, jobs.RUNNING):
            raise NotFinished(
                f"the job is {record.status} ({record.progress:.0%} done); its result comes later",
                retry_after_s=_RETRY_AFTER_S,
            )
        if record.status != jobs.FINISHED:
            reason = f": {record.error.message}" if record.error else ""
            raise NotFound(f"the job was {record.status}, so there is no result{reason}")
        return self._storage.read_result(job_id)

    def remove(self, job_id: str) -> JobRecord | None:
        """Cancel a job that has not ended: at once when it is queued, after the window in hand when it runs.
        Delete one that has, and return None. Raises `NotFound`."""
        record = self.find(job_id)
        if record.status == jobs.CANCELLED:
            return record
        if record.status in (jobs.QUEUED, jobs.RUNNING):
            # The mark first: a worker that takes the job in this moment sees it and leaves.
            self._windows(job_id).cancel(self._ttl_s)
        if record.status != jobs.RUNNING:
            with contextlib.suppress(NoSuchJobError):
                self._fetch(job_id).delete()
            self._storage.delete(job_id)
        if record.status in (jobs.FINISHED, jobs.FAILED):
            return None
        return JobRecord(id=job_id, status=jobs.CANCELLED, progress=record.progress)

    def _enqueue(self, job_id: str) -> None:
        queue = Queue(jobs.QUEUE, connection=self._client, serializer="json")
        queue.enqueue_call(
            jobs.RUN,
            args=[job_id],
            job_id=job_id,
            description=jobs.DESCRIPTION,
            timeout=self._timeout_s,
            result_ttl=self._ttl_s,
            failure_ttl=self._ttl_s,
            # Files of a job that waits for so long are swept.
            ttl=self._ttl_s,
            retry=Retry(max=jobs.RETRIES),
        )

    def _fetch(self, job_id: str) -> Job:
        return Job.fetch(job_id, connection=self._client, serializer="json")

    def _windows(self, job_id: str) -> WindowQueue:
        return WindowQueue(self._windows_client, self._keys, job_id)

    def _record(self, job: Job) -> JobRecord:
        meta: dict[str, Any] = job.meta
        status = jobs.status_word(job.get_status(refresh=False).value)
        ended = status in (jobs.FINISHED, jobs.FAILED)
        if meta.get(jobs.META_CANCELLED) or (not ended and self._windows(job.id).is_cancelled()):
            status = jobs.CANCELLED
        return JobRecord(
            id=job.id,
            status=status,
            progress=float(meta.get(jobs.META_PROGRESS, 0.0)),
            error=_problem(meta) if status == jobs.FAILED else None,
            warning=meta.get(jobs.META_WARNING),
        )


def _problem(meta: dict[str, Any]) -> JobProblem:
    try:
        return from_map(JobProblem, meta.get(jobs.META_ERROR))
    except CodecError:
        return _DIED
