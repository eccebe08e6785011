"""What RQ runs for one file: the composition root of RQ's child process.

RQ forks for each job, so this is the start of a process: settings are read here, and the voice activity
model is loaded here and not in the parent. No speech model is ever loaded in this process.

How a job ends, and what RQ makes of it:

    result stored            returns; `finished`
    cancelled                returns with a mark in the meta data; shown as `cancelled`
    process must stop        returns `Retry`; queued again, begun again from its checkpoint
    storage fails            raises, the reason in the meta data; RQ queues it again as below
    can't be served          raises with no retries left; `failed`, the reason in the meta data
    process died             RQ queues it again, `shared.jobs.RETRIES` times
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Generator, Mapping
from typing import Any, Final

from rq import Retry, get_current_job
from rq.job import Job
from rq.timeouts import JobTimeoutException

from shared import models
from shared.audio import media
from shared.codec import to_map
from shared.errors import StenoError
from shared.jobs import (
    INTERACTIVE,
    META_CANCELLED,
    META_CHANNELS,
    META_COUNTED,
    META_DURATION,
    META_ERROR,
    META_PROGRESS,
    META_SHA256,
    META_TENANT,
    META_TRACE,
    META_WARNING,
    QUEUES,
    SPLIT,
    JobProblem,
)
from shared.redis.connection import ConnectionLost, connect_sync
from shared.redis.keys import Keys
from shared.redis.quotas import DAY_AUDIO, MONTH_AUDIO, JobUsage
from shared.redis.windows import WindowQueue
from shared.settings import Settings, load_settings
from shared.storage import JobStorage
from shared.traces import now_ns, open_traces, session_place
from shared.transcript import Transcript
from worker.engine.silero import SileroVad
from worker.jobs import PARENT_PID
from worker.jobs.fetch import FetchPolicy, fetch
from worker.jobs.speakers import Voices
from worker.jobs.splitter import Splitter
from worker.jobs.transcriber import Cancelled, Stopping, Transcriber
from worker.jobs.voice_encoder import VoiceEncoder

log = logging.getLogger(__name__)

_HANDOVERS_MAX: Final = 1000
"""How often a job may move on because its process was asked to stop; only a guard against a loop."""
_EXPORT_S_MAX: Final = 1.0
"""RQ does not know that the job is done before its trace is sent."""
_CHUNK_SAMPLES: Final = 5 * 16_000


def run(job_id: str) -> Retry | None:
    """Transcribe the file of a job and store the result."""
    job = get_current_job()
    if job is None:
        raise RuntimeError("this is a job of RQ and is called by its worker")
    settings = load_settings()
    with _traced(job, settings):
        return _run(job, settings)


def _run(job: Job, settings: Settings) -> Retry | None:
    job_id = job.id
    storage = JobStorage(settings.jobs_url, bytes_max=settings.storage_bytes_max)
    # Closed by the end of this process, which has one job. RQ's own connection may be to another server.
    queue = WindowQueue(
        connect_sync(settings.redis_url),
        Keys(settings.shards),
        job_id,
        urgent=job.origin == QUEUES[INTERACTIVE],
    )
    try:
        if not storage.has_result(job_id):
            storage.write_result(job_id, _transcribe(job, storage, queue, settings))
    except Stopping:
        log.info("file job is handed over", extra={"job": job_id})
        return Retry(max=_HANDOVERS_MAX)
    except Cancelled:
        if queue.is_erased():  # what this process has read of the job must not be written back
            job.meta = {META_TENANT: job.meta.get(META_TENANT, "")}
        _note(job, **{META_CANCELLED: True})
        storage.delete(job_id)
    except JobTimeoutException:
        message = f"the file took longer than {settings.job_timeout_s} s; send it in pieces"
        _give_up(job, JobProblem(code="too_large", message=message))
        queue.expire(job.failure_ttl or settings.job_ttl_s)
        raise
    except StenoError as error:
        _give_up(job, _problem(error))
        queue.expire(job.failure_ttl or settings.job_ttl_s)
        raise
    except OSError:
        # Its text may name paths. Only said of a job that fails: another try may go better.
        message = "the server can't read or store files of the job; its disk may be full"
        _note(job, **{META_ERROR: to_map(JobProblem(code="unavailable", message=message, retryable=True))})
        queue.expire(job.failure_ttl or settings.job_ttl_s)
        raise
    else:
        _note(job, **{META_PROGRESS: 1.0})
        storage.drop_input(job_id)
        count_audio(job.meta, JobUsage(connect_sync(settings.redis_url), Keys(settings.shards), held_s=0))
    queue.clear()
    return None


def _transcribe(job: Job, storage: JobStorage, queue: WindowQueue, settings: Settings) -> Transcript:
    if queue.is_cancelled():  # while it was taken: its files may be gone already
        raise Cancelled
    stop = _stop_signal()
    parent = int(os.environ.get(PARENT_PID) or os.getppid())
    options = storage.options(job.id)
    transcriber = Transcriber(
        job.id,
        options,
        queue,
        tenant=str(job.meta.get(META_TENANT, "")),
        trace=job.meta.get(META_TRACE),
        tell=lambda progress: _note(job, **{META_PROGRESS: progress}),
        # RQ's parent may be killed outright; nobody would wait for this process, or extend its lease.
        is_stopping=lambda: stop.is_set() or os.getppid() != parent,
    )
    if (url := storage.source(job.id)) and not storage.has_input(job.id):
        sha256 = fetch(url, job.id, storage, _fetch_policy(settings), check=transcriber.check)
        _note(job, **{META_SHA256: sha256})
    with storage.opened_input(job.id) as file:
        info = media.probe(file, track=options.track)
        duration_s = info.duration_s
        if duration_s is None:
            duration_s = media.scan_duration(file, track=options.track)
        _note(job, **{META_DURATION: duration_s, META_CHANNELS: info.channels})
        voices = Voices(VoiceEncoder.load(models.voices())) if options.diarize else None
        chunks = media.decode_channels(
            file,
            split=options.channels == SPLIT,
            chunk_samples=_CHUNK_SAMPLES,
            on_damage=lambda what: _note(job, **{META_WARNING: f"the file is damaged: {what}"}),
            track=options.track,
            s_max=settings.audio_s_max,
        )
        try:
            heard = voices.listening(chunks) if voices else chunks
            transcript = transcriber.run(heard, lambda: Splitter(SileroVad().frames), duration_s=duration_s)
        finally:
            chunks.close()
    if voices:
        transcript = voices.named(transcript)
    # What it really was, whatever the file said.
    _note(job, **{META_DURATION: transcript.duration})
    return transcript


def count_audio(meta: Mapping[str, Any], usage: JobUsage) -> None:
    """Count the file as long as it was, where its tenant's audio is counted: of one that was fetched nobody
    knew, and what a file says of itself may be wrong. The bound was asked when the job was taken."""
    if META_COUNTED not in meta:
        return
    more_ms = round(1000 * (float(meta[META_DURATION]) - float(meta[META_COUNTED])))
    with contextlib.suppress(*ConnectionLost):
        usage.spend(str(meta.get(META_TENANT, "")), {DAY_AUDIO: more_ms, MONTH_AUDIO: more_ms}, {})


@contextlib.contextmanager
def _traced(job: Job, settings: Settings) -> Generator[None]:
    """Record this attempt in the job's trace, if it has one."""
    seed: str | None = job.meta.get(META_TRACE)
    traces = open_traces(settings, "job-worker", export_s_max=_EXPORT_S_MAX) if seed else None
    began_ns = now_ns()
    try:
        yield
    finally:
        if seed and traces is not None:
            traces.span("run", session_place(seed), began_ns, now_ns(), {"steno.job": job.id})
            traces.close()


def _fetch_policy(settings: Settings) -> FetchPolicy:
    return FetchPolicy(
        hosts=tuple(settings.fetch_hosts.split(",")),
        private=settings.fetch_private,
        bytes_max=settings.upload_bytes_max,
        s_max=settings.fetch_s_max,
    )


def _stop_signal() -> threading.Event:
    """Set once the parent, asked to stop, has passed it on."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signum, _frame: stop.set())
    return stop


def _give_up(job: Job, problem: JobProblem) -> None:
    """Say why, and let RQ fail the job at once: the same would happen again. The upload stays, so that the
    client may ask for another try."""
    job.retries_left = 0
    _note(job, **{META_ERROR: to_map(problem)})


def _problem(error: StenoError) -> JobProblem:
    return JobProblem(code=error.code, message=error.message, retryable=error.retryable)


def _note(job: Job, **fields: object) -> None:
    job.meta.update(fields)
    job.save_meta()
