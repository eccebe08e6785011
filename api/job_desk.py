"""File jobs as the edge sees them once they are queued: look up, hand out, cancel. Blocking; `api.jobs` calls
it in threads. `api.job_intake` takes them in, `api.job_records` reads what is known of them.

RQ holds the state of a job, `shared.storage` its files. Every call raises what redis-py raises when Redis
can't be reached (`ConnectionLost`); `api.faults` answers that.
"""

import contextlib
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.registry import FailedJobRegistry

from api.job_records import JobRecords
from api.tenants import Tenants
from shared import jobs
from shared.errors import Conflict, NotFinished, NotFound
from shared.jobs import JobOptions, JobRecord, check_job_id
from shared.redis.connection import SyncRedis
from shared.redis.deliveries import LOOK_S, Deliveries
from shared.redis.job_index import JobIndex, Place
from shared.redis.keys import Keys
from shared.storage import JobStorage
from shared.system import JobCounts
from shared.traces import Traces
from shared.transcript import Segment, Transcript
from shared.webhooks import PENDING, Delivery

_RETRY_AFTER_S: Final = 1.0
_LOOK_COUNT: Final = 100
_LOOKS_MAX: Final = 20
"""Times that many jobs are looked at for one page of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What the desk is made of. `ttl_s` is how long an ended job is kept, `timeout_s` how long one attempt
    may take."""

    client: SyncRedis
    """Of RQ's server."""
    windows: SyncRedis
    """Of the workers' server, which may be another."""
    keys: Keys
    storage: JobStorage
    ttl_s: int
    timeout_s: int
    waiting_max: int = 20_000
    """Most jobs of one priority that wait."""
    webhooks: bool = False
    """Whether they can be signed, and so are taken."""
    tenants: Tenants = field(default_factory=Tenants)
    """How long their jobs are kept, and what is left out of their text."""
    traces: Traces | None = None

    def ttl_of(self, tenant: str) -> int:
        """How long a tenant's ended jobs are kept."""
        return self.tenants.of(tenant).job_ttl_s or self.ttl_s


class JobDesk:
    """All file jobs of one deployment."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._storage = parts.storage
        self._jobs = JobRecords(parts.client, parts.windows, parts.keys)
        self._index = JobIndex(parts.client, parts.keys)
        self._deliveries = Deliveries(parts.client, parts.keys, ttl_s=parts.ttl_s)

    @property
    def webhook_log(self) -> Deliveries:
        """The webhooks of all jobs."""
        return self._deliveries

    def find(self, job_id: str) -> JobRecord:
        """The job now. Raises `NotFound`."""
        check_job_id(job_id)
        job = self._jobs.find(job_id)
        record = self._jobs.record(job_id, job)
        if record is None:
            raise _no_such_job()
        if job is not None and record.status == jobs.QUEUED:
            return replace(record, position=self._jobs.position(job))
        return record

    def check_tenant(self, job_id: str, tenant: str) -> None:
        """Raises `NotFound` for a job of another tenant, as for one that is not there."""
        check_job_id(job_id)
        if self._jobs.owner(job_id, self._jobs.find(job_id)) not in (None, tenant):
            raise _no_such_job()

    def page(
        self, *, status: str, count: int, below: Place | None, tenant: str = ""
    ) -> tuple[list[JobRecord], Place | None]:
        """The next `count` jobs of the tenant, newest first, of that status or of any, and the place below
        which the next page begins; None at the end. May be shorter before the end: only so many are looked
        at."""
        found: list[JobRecord] = []
        for _ in range(_LOOKS_MAX):
            places = self._index.below(below, _LOOK_COUNT)
            if not places:
                return found, None
            for place, record in self._looked_up(places, tenant):
                below = place
                if record is not None and status in ("", record.status):
                    found.append(record)
                    if len(found) == count:
                        return found, below
        return found, below

    def over(self, job_ids: Collection[str]) -> list[str]:
        """Those of these jobs that have ended, or are gone."""
        found = zip(job_ids, self._jobs.find_many(list(job_ids)), strict=True)
        records = ((job_id, self._jobs.record(job_id, job)) for job_id, job in found)
        return [job_id for job_id, record in records if record is None or record.is_over]

    def counts(self) -> JobCounts:
        """The jobs that have not ended, of all tenants."""
        return self._jobs.counts()

    def result(self, job_id: str) -> tuple[Transcript, JobOptions]:
        """The transcript, and what was asked for. Raises `NotFinished` while there is none yet, `NotFound`
        when there never will be one."""
        record = self.find(job_id)
        if not record.is_over:
            raise NotFinished(
                f"the job is {record.status} ({record.progress:.0%} done); its result comes later",
                retry_after_s=_RETRY_AFTER_S,
            )
        if record.status != jobs.FINISHED:
            reason = f": {record.error.message}" if record.error else ""
            raise NotFound(f"the job was {record.status}, so there is no result{reason}")
        return self._storage.read_result(job_id), self._storage.options(job_id)

    def remove(self, job_id: str) -> JobRecord | None:
        """Cancel a job that has not ended: at once when it is queued, after the window in hand when it runs.
        Delete one that has, and return None. Raises `NotFound`."""
        record = self.find(job_id)
        if record.status == jobs.CANCELLED:
            return record
        if not record.is_over:
            owner = self._jobs.owner(job_id, self._jobs.find(job_id)) or ""
            # The mark first: a worker that takes the job in this moment sees it and leaves.
            self._jobs.windows(job_id).cancel(self._parts.ttl_of(owner), tenant=owner)
        if record.status != jobs.RUNNING:
            self._delete(job_id) if record.is_over else self._withdraw(job_id)
            self._storage.delete(job_id)
            self._jobs.windows(job_id).clear()
        self._deliveries.nudge(job_id, time.time())
        if record.is_over:
            return None
        return JobRecord(id=job_id, status=jobs.CANCELLED, progress=record.progress)

    def forget(self, job_id: str) -> None:
        """`remove` a job that nobody will ask for, and list it no more. One that is gone is no error."""
        with contextlib.suppress(NotFound):
            self.remove(job_id)
        self._index.remove([job_id])

    def _delete(self, job_id: str) -> None:
        with contextlib.suppress(NoSuchJobError):
            self._jobs.fetch(job_id).delete()
        self._index.remove([job_id])

    def _withdraw(self, job_id: str) -> None:
        """Take a job from its queue. RQ's own record of it stays for a time: a worker that took the job in
        this moment writes to the record, and one that was deleted would come back, without a name and for
        ever."""
        with contextlib.suppress(NoSuchJobError):
            job = self._jobs.fetch(job_id)
            self._jobs.queue(job.origin).remove(job)
            job.meta[jobs.META_CANCELLED] = True
            job.save_meta()
            self._parts.client.expire(job.key, self._parts.ttl_s)

    def retry(self, job_id: str) -> JobRecord:
        """Queue a failed job again; windows that are decoded stay so. Raises `NotFound`, and `Conflict` for
        a job that has not failed."""
        record = self.find(job_id)
        if record.status != jobs.FAILED:
            raise Conflict(f"only a failed job can be tried again; this one is {record.status}")
        if not (self._storage.has_input(job_id) or self._storage.source(job_id)):
            raise NotFound("the job's upload is gone; send the file again")
        self._jobs.windows(job_id).forget_failed()
        job = self._jobs.fetch(job_id)
        for name in (jobs.META_ERROR, jobs.META_WARNING, jobs.META_PROGRESS):
            job.meta.pop(name, None)
        job.retries_left = jobs.RETRIES
        job.save()
        registry = FailedJobRegistry(job.origin, connection=self._parts.client, serializer="json")
        try:
            registry.requeue(job)
        except InvalidJobOperation:  # somebody else was quicker
            raise Conflict("the job is being tried again already") from None
        if webhook := self._storage.options(job_id).webhook_url:
            self.expect(job_id, webhook)
        return self.find(job_id)

    def follow(self, job_id: str, number: int) -> tuple[JobRecord | None, tuple[Segment, ...]]:
        """The job now, and its finished segments behind the first `number`; nothing when it is gone."""
        try:
            record = self.find(job_id)
            if record.status == jobs.FINISHED:
                return record, self._storage.read_result(job_id).segments[number:]
        except NotFound:
            return None, ()
        said = self._jobs.windows(job_id).said_after(number)
        return record, tuple(segment for _, segment in said)

    def redeliver(self, job_id: str, delivery_id: str) -> Delivery:
        """Send a webhook again. Raises `NotFound`, and `Conflict` before the job has ended."""
        self.find(job_id)
        for delivery in self._deliveries.of(job_id):
            if delivery.id == delivery_id:
                if delivery.body is None:
                    raise Conflict("the webhook waits for the job's end")
                again = Delivery(
                    id=delivery.id,
                    url=delivery.url,
                    state=PENDING,
                    event=delivery.event,
                    body=delivery.body,
                    attempts=delivery.attempts,
                )
                self._deliveries.keep(job_id, again, time.time())
                return again
        raise NotFound("the job has no such delivery")

    def expect(self, job_id: str, url: str) -> None:
        """Tell the receiver when the job has ended."""
        delivery = Delivery(id=f"msg_{uuid.uuid4().hex}", url=url)
        self._deliveries.keep(job_id, delivery, time.time() + LOOK_S)

    def _looked_up(self, places: list[Place], tenant: str) -> list[tuple[Place, JobRecord | None]]:
        """The tenant's jobs at these places, None for others'; those that are forgotten leave the list."""
        found = self._jobs.find_many([place.job for place in places])
        rows: list[tuple[Place, JobRecord | None]] = []
        for place, job in zip(places, found, strict=True):
            record = self._jobs.record(place.job, job)
            if record is None:
                self._index.remove([place.job])
            rows.append((place, record if self._jobs.owner(place.job, job) == tenant else None))
        return rows


def _no_such_job() -> NotFound:
    return NotFound("no such job; an ended job is kept for a limited time")
