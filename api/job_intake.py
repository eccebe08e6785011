"""How file jobs come in: the upload to storage, a look at it, the idempotency key, the queue. Blocking, as
`JobDesk`."""

import hashlib
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rq import Queue, Retry

from api.job_desk import DeskParts, JobDesk
from shared import jobs
from shared.audio.frames import CHANNELS_MAX
from shared.audio.media import probe
from shared.errors import BadAudio, BadParameter, KeyReused, NoCapacity, NotFound, Unavailable
from shared.files import Writer
from shared.jobs import JobOptions, JobRecord
from shared.redis.job_index import JobIndex, KeyOwner, Place
from shared.traces import now_ns, session_place

_RETRY_AFTER_S: Final = 1.0
_FULL_RETRY_S: Final = 30.0
_CLAIMS_MAX: Final = 5
"""How often an idempotency key may turn out to stand for a job that is gone, in one request."""


class Upload:
    """A file on its way in."""

    def __init__(self, job_id: str, writer: Writer) -> None:
        self.job_id = job_id
        self._writer = writer
        self._hash = hashlib.sha256()
        self._is_open = True
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises `Unavailable` when they can't be stored."""
        self._hash.update(data)
        self.size_bytes += len(data)
        with _storing():
            self._writer.write(data)

    def commit(self) -> str:
        """Keep the file. Returns the SHA-256 of its bytes."""
        self._is_open = False
        self._writer.commit()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Leave nothing behind of what was not committed."""
        if self._is_open:
            self._is_open = False
            self._writer.discard()


class JobIntake:
    """Takes file jobs in."""

    def __init__(self, parts: DeskParts, desk: JobDesk) -> None:
        self._parts = parts
        self._desk = desk
        self._storage = parts.storage
        self._index = JobIndex(parts.client, parts.keys)

    def begin(self) -> Upload:
        """Begin to take a file in. Raises `Unavailable` when it can't be stored."""
        job_id = uuid.uuid4().hex
        with _storing():
            return Upload(job_id, self._storage.begin(job_id))

    def abandon(self, upload: Upload) -> None:
        """Leave nothing of an upload behind."""
        upload.discard()
        self._storage.delete(upload.job_id)

    def submit(
        self, upload: Upload, options: JobOptions, *, name: str = "", key: str = "", tenant: str = ""
    ) -> tuple[JobRecord, bool]:
        """Look whether a complete upload is audio, and queue it. Returns the job and whether it is new: a
        `key` that stands for one already gives that one.

        Raises `BadAudio`, `BadParameter`, `KeyReused`, `NoCapacity` when too many wait, `Unavailable` when
        it can't be stored. Leaves nothing behind then.
        """
        try:
            with _storing():
                digest = upload.commit()
                with self._storage.opened_input(upload.job_id) as file:
                    info = probe(file, track=options.track)
            if options.channels == jobs.SPLIT and info.channels > CHANNELS_MAX:
                raise BadAudio(f"the file has {info.channels} channels; at most {CHANNELS_MAX} can be split")
            meta: dict[str, object] = {
                jobs.META_NAME: jobs.file_name(name),
                jobs.META_DURATION: info.duration_s,
                jobs.META_TENANT: tenant,
                jobs.META_CHANNELS: info.channels,
                jobs.META_SHA256: digest,
            }
            return self._take(upload.job_id, options, meta, digest=digest, key=_tenants_key(key, tenant))
        except BaseException:
            self.abandon(upload)
            raise

    def submit_address(
        self, url: str, options: JobOptions, *, key: str = "", tenant: str = ""
    ) -> tuple[JobRecord, bool]:
        """Queue a file that the job worker is to fetch; otherwise as `submit`."""
        job_id = uuid.uuid4().hex
        name = jobs.file_name(url.partition("?")[0].rstrip("/"))
        try:
            meta: dict[str, object] = {jobs.META_NAME: name, jobs.META_TENANT: tenant}
            return self._take(job_id, options, meta, digest=url, key=_tenants_key(key, tenant), source=url)
        except BaseException:
            self._storage.delete(job_id)
            raise

    def find_by_key(self, key: str, *, tenant: str = "") -> JobRecord | None:
        """The job that a tenant's idempotency key stands for, if it does."""
        owner = self._index.owner_of(_tenants_key(key, tenant))
        return None if owner is None else self._owned(owner)

    def _take(
        self,
        job_id: str,
        options: JobOptions,
        meta: dict[str, object],
        *,
        digest: str,
        key: str,
        source: str = "",
    ) -> tuple[JobRecord, bool]:
        """Queue a job whose upload is stored, or give the one that the key stands for."""
        if options.webhook_url and not self._parts.webhooks:
            raise BadParameter("webhook_url is not taken here: the server has no STENO_WEBHOOK_SECRET")
        with _storing():
            self._storage.write_options(job_id, options, source=source)
        asked = hashlib.sha256(f"{digest}\n{options.to_json()}".encode()).hexdigest()
        mine = KeyOwner(job=job_id, digest=asked)
        if key and (record := self._claim(key, mine)):
            self._storage.delete(job_id)
            return record, False
        try:
            self._enqueue(job_id, options, meta | {jobs.META_PRIORITY: options.priority})
        except BaseException:
            if key:
                self._index.free_key(key, mine)
            raise
        if options.webhook_url:
            self._desk.expect(job_id, options.webhook_url)
        return self._desk.find(job_id), True

    def _claim(self, key: str, mine: KeyOwner) -> JobRecord | None:
        """Let the key stand for a new job; the job that it stands for already, if there is one."""
        for _ in range(_CLAIMS_MAX):
            owner = self._index.claim_key(key, mine, self._parts.ttl_s)
            if owner == mine:
                return None
            record = self._owned(owner)
            if record is None:
                self._index.free_key(key, owner)
                continue
            if owner.digest != mine.digest:
                raise KeyReused("the idempotency key stands for a request with another file or other options")
            return record
        raise Unavailable("the idempotency key changes hands; try again", retry_after_s=_RETRY_AFTER_S)

    def _owned(self, owner: KeyOwner) -> JobRecord | None:
        """The job of a key; None when it was cancelled or deleted, which frees the key."""
        try:
            record = self._desk.find(owner.job)
        except NotFound:
            # Between its claim and its place in the queue a job has files only.
            waits = self._storage.has_input(owner.job) or bool(self._storage.source(owner.job))
            return JobRecord(id=owner.job, status=jobs.QUEUED, progress=0.0) if waits else None
        return None if record.status == jobs.CANCELLED else record

    def _enqueue(self, job_id: str, options: JobOptions, meta: dict[str, object]) -> None:
        queue = Queue(jobs.QUEUES[options.priority], connection=self._parts.client, serializer="json")
        if queue.count >= self._parts.waiting_max:
            raise NoCapacity("too many jobs wait already; try again later", retry_after_s=_FULL_RETRY_S)
        self._index.add(Place(time.time_ns() // 1000, job_id))
        traces, began_ns = self._parts.traces, now_ns()
        if seed := traces and traces.seed():
            meta = meta | {jobs.META_TRACE: seed}
        queue.enqueue_call(
            jobs.RUN,
            args=[job_id],
            job_id=job_id,
            description=jobs.DESCRIPTION,
            timeout=self._parts.timeout_s,
            result_ttl=self._parts.ttl_s,
            failure_ttl=self._parts.ttl_s,
            # Files of a job that waits for so long are swept.
            ttl=self._parts.ttl_s,
            retry=Retry(max=jobs.RETRIES),
            meta=meta,
        )
        if traces and seed:
            traces.root("submit", session_place(seed), began_ns, now_ns(), {"steno.job": job_id})


def _tenants_key(key: str, tenant: str) -> str:
    """An idempotency key as it is kept: each tenant has its own. A tenant's name has no line break, so two
    never meet."""
    return f"{tenant}\n{key}" if key else ""


@contextmanager
def _storing() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the upload can't be stored; the server's disk may be full") from error
