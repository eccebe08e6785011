"""How file jobs come in: the upload to storage, a look at it, the idempotency key, the queue. Blocking, as
`JobDesk`."""

import hashlib
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final

from rq import Queue, Retry

from api.job_desk import DeskParts, JobDesk
from api.job_quota import JobQuota, Load
from shared import jobs
from shared.audio.frames import CHANNELS_MAX
from shared.audio.media import probe
from shared.errors import BadAudio, BadParameter, KeyReused, NoCapacity, NotFound, Unavailable
from shared.events import check_redact
from shared.files import Writer
from shared.jobs import JobOptions, JobRecord
from shared.redis.job_index import JobIndex, KeyOwner, Place, key_digest
from shared.redis.quotas import JobUsage
from shared.traces import now_ns, session_place

_RETRY_AFTER_S: Final = 1.0
_FULL_RETRY_S: Final = 30.0
_WAITING_S: Final = 30 * 24 * 3600
"""After this RQ forgets a job that was never begun: nobody works here any more. Its files are swept then."""
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a job, once all of it is here. `digest` is of the file, or its address."""

    job_id: str
    tenant: str
    options: JobOptions
    load: Load
    _: KW_ONLY
    digest: str
    key: str
    source: str = ""

    @property
    def request_digest(self) -> str:
        """Of file and options: what an idempotency key may stand for."""
        return hashlib.sha256(f"{self.digest}\n{self.options.to_json()}".encode()).hexdigest()


class JobIntake:
    """Takes file jobs in."""

    def __init__(self, parts: DeskParts, desk: JobDesk, quota: JobQuota) -> None:
        self._parts = parts
        self._desk = desk
        self._quota = quota
        self._storage = parts.storage
        self._index = JobIndex(parts.client, parts.keys)

    @property
    def usage(self) -> JobUsage:
        """What tenants have used."""
        return self._quota.usage

    def begin(self, *, tenant: str) -> Upload:
        """Begin to take a file in. Raises `Unavailable` when it can't be stored, and `QuotaExceeded`."""
        self._quota.check(tenant)
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
            load = Load(size_bytes=upload.size_bytes, audio_s=info.duration_s or 0.0)
            asked = _Asked(upload.job_id, tenant, options, load, digest=digest, key=_tenants_key(key, tenant))
            return self._take(asked, meta)
        except BaseException:  # whatever it is, and it goes on: nothing may stay behind
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
            self._quota.check(tenant)
            asked = _Asked(
                job_id, tenant, options, Load(), digest=url, key=_tenants_key(key, tenant), source=url
            )
            return self._take(asked, meta)
        except BaseException:  # as in `submit`
            self._storage.delete(job_id)
            raise

    def find_by_key(self, key: str, *, tenant: str = "") -> JobRecord | None:
        """The job that a tenant's idempotency key stands for, if it does."""
        owner = self._index.owner_of(_tenants_key(key, tenant))
        return None if owner is None else self._owned(owner)

    def _take(self, asked: "_Asked", meta: dict[str, object]) -> tuple[JobRecord, bool]:
        """Queue a job whose upload is stored, or give the one that the key stands for."""
        job_id, options, key = asked.job_id, asked.options, asked.key
        if options.webhook_url and not self._parts.webhooks:
            raise BadParameter("webhook_url is not taken here: the server has no STENO_WEBHOOK_SECRET")
        with _storing():
            self._storage.write_options(job_id, self._redacted(asked), source=asked.source)
        mine = KeyOwner(job=job_id, digest=asked.request_digest)
        if key and (record := self._claim(key, mine, self._parts.ttl_of(asked.tenant))):
            self._storage.delete(job_id)
            return record, False
        try:
            self._quota.take(asked.tenant, job_id, asked.load)
            try:
                named: dict[str, object] = {jobs.META_KEY: key_digest(key)} if key else {}
                if self._quota.counts_audio(asked.tenant):
                    named[jobs.META_COUNTED] = asked.load.audio_s
                self._enqueue(asked, meta | named | {jobs.META_PRIORITY: options.priority})
            except BaseException:  # whatever it is, the job is not queued, so that it counts for nobody
                self._quota.give_back(asked.tenant, job_id, asked.load)
                raise
        except BaseException:  # nor may its key stand for it
            if key:
                self._index.free_key(key, mine)
            raise
        if options.webhook_url:
            self._desk.expect(job_id, options.webhook_url)
        return self._desk.find(job_id), True

    def _redacted(self, asked: "_Asked") -> JobOptions:
        """The options with what is left out of all text of the tenant."""
        own, tenants = asked.options.redact, self._parts.tenants.of(asked.tenant).redact
        redact = check_redact(",".join((*own, *tenants)))
        # Tokens are text as well, in pieces that nothing can be found in.
        return replace(asked.options, redact=redact, tokens=asked.options.tokens and not redact)

    def _claim(self, key: str, mine: KeyOwner, ttl_s: int) -> JobRecord | None:
        """Let the key stand for a new job; the job that it stands for already, if there is one."""
        for _ in range(_CLAIMS_MAX):
            owner = self._index.claim_key(key, mine, ttl_s)
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

    def _enqueue(self, asked: "_Asked", meta: dict[str, object]) -> None:
        job_id, ttl_s = asked.job_id, self._parts.ttl_of(asked.tenant)
        queue = Queue(jobs.QUEUES[asked.options.priority], connection=self._parts.client, serializer="json")
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
            result_ttl=ttl_s,
            failure_ttl=ttl_s,
            ttl=max(_WAITING_S, self._parts.ttl_s),
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
