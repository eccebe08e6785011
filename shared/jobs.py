"""What both sides of a file job agree on: its options, its status words, and its names in RQ.

The edge puts the job on the queue by the name of its function, because it may not import the worker. RQ
carries the job's id and nothing else: options may hold a prompt, and RQ shows arguments in logs.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from shared.codec import CodecError, from_map, to_map
from shared.errors import BadParameter, NotFound
from shared.events import TASKS
from shared.languages import AUTO, check_language

QUEUE: Final = "steno-files"
"""Name of the RQ queue."""
RUN: Final = "worker.jobs.file_job.run"
"""Path of the function that RQ calls, with the job's id."""
DESCRIPTION: Final = "file job"
"""What RQ shows in its logs instead of the call."""
RETRIES: Final = 3
"""How often a job is begun again after its process died."""

META_PROGRESS: Final = "progress"
META_ERROR: Final = "error"
META_WARNING: Final = "warning"
META_CANCELLED: Final = "cancelled"

QUEUED: Final = "queued"
RUNNING: Final = "running"
FINISHED: Final = "finished"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

TEXT_CHARS_MAX: Final = 2_000
"""Longest `prompt` or `hotwords`; the model reads less than 500 characters of them."""

_ID: Final = re.compile(r"[0-9a-f]{32}")
_BY_RQ_STATUS: Final = {
    "created": QUEUED,
    "queued": QUEUED,
    "deferred": QUEUED,
    "scheduled": QUEUED,
    "started": RUNNING,
    "finished": FINISHED,
    "failed": FAILED,
    "stopped": FAILED,
    "canceled": CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What the client asked for. Raises `BadParameter` for what can't be served."""

    language: str = AUTO
    task: str = "transcribe"
    model: str = ""
    """Model that must decode; empty for whatever the workers have."""
    prompt: str = ""
    """Context for every window of the file: names, spelling, style."""
    hotwords: str = ""
    words: bool = False
    """Whether segments carry words with times."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "language", check_language(self.language))
        if self.task not in TASKS:
            raise BadParameter(f"task must be one of {', '.join(TASKS)}")
        for name in ("model", "prompt", "hotwords"):
            if len(getattr(self, name)) > TEXT_CHARS_MAX:
                raise BadParameter(f"{name} must be at most {TEXT_CHARS_MAX} characters")

    def to_json(self) -> str:
        """The options as a JSON document."""
        return json.dumps(to_map(self))

    @classmethod
    def from_json(cls, text: str) -> "JobOptions":
        """Inverse of `to_json`. Raises `CodecError`."""
        try:
            return from_map(cls, json.loads(text))
        except ValueError as error:
            raise CodecError(f"job options: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProblem:
    """Why a job failed, as in the body of an HTTP error."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as a client sees it."""

    id: str
    status: str
    progress: float
    """Part of the audio that is done, 0 to 1."""
    error: JobProblem | None = None
    """Why it failed."""
    warning: str | None = None
    """What was wrong with the file although there is a result: a sentence."""


def check_job_id(job_id: str) -> str:
    """The id, if it has the form of one. Raises `NotFound`: ids become names of files and keys."""
    if not _ID.fullmatch(job_id):
        raise NotFound("no such job")
    return job_id


def status_word(rq_status: str) -> str:
    """The status word for RQ's own."""
    return _BY_RQ_STATUS.get(rq_status, RUNNING)
