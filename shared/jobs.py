"""What both sides of a file job agree on: its options, its status words, and its names in RQ.

The edge puts the job on the queue by the name of its function, because it may not import the worker. RQ
carries the job's id and nothing else: options may hold a prompt, and RQ shows arguments in logs.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.codec import CodecError, from_map, to_map
from shared.errors import BadParameter, NotFound
from shared.events import NUMERALS, PROFANITY, TASKS, check_redact
from shared.formats import format_named
from shared.languages import AUTO, check_language
from shared.subtitles import Layout

INTERACTIVE: Final = "interactive"
NORMAL: Final = "normal"
QUEUES: Final[Mapping[str, str]] = {
    INTERACTIVE: "steno-files-interactive",
    NORMAL: "steno-files",
    "low": "steno-files-low",
}
"""Name of the RQ queue by priority, in the order in which they are worked off."""
RUN: Final = "worker.jobs.file_job.run"
"""Path of the function that RQ calls, with the job's id."""
DESCRIPTION: Final = "file job"
"""What RQ shows in its logs instead of the call."""
RETRIES: Final = 2
"""How often a job is begun again after its process died: the third death is its last."""

META_NAME: Final = "name"
META_DURATION: Final = "duration"
META_CHANNELS: Final = "channels"
META_SHA256: Final = "sha256"
META_PRIORITY: Final = "priority"
META_PROGRESS: Final = "progress"
META_ERROR: Final = "error"
META_WARNING: Final = "warning"
META_CANCELLED: Final = "cancelled"
META_KEY: Final = "key"
"""Digest of the idempotency key."""
META_COUNTED: Final = "counted"
"""Seconds of audio that were counted against its tenant's bound when it was taken; absent without a bound."""
META_TENANT: Final = "tenant"
META_TRACE: Final = "trace"
"""Whose job it is."""

QUEUED: Final = "queued"
RUNNING: Final = "running"
FINISHED: Final = "finished"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

STATUSES: Final = (QUEUED, RUNNING, FINISHED, FAILED, CANCELLED)
"""The status words, in the order of a job's life. They do not change."""

MIX: Final = "mix"
SPLIT: Final = "split"
CHANNELS: Final = (MIX, SPLIT)

TEXT_CHARS_MAX: Final = 2_000
"""Longest `prompt` or `hotwords`; the model reads less than 500 characters of them."""
NAME_CHARS_MAX: Final = 200
TRACK_MAX: Final = 63

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
class SpeechOptions:
    """How speech is to be written down, live and from files. Raises `BadParameter` for what can't be
    served."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions(SpeechOptions):
    """What the client asked for. Raises `BadParameter` for what can't be served."""

    languages: tuple[str, ...] = ()
    """With `language="auto"`: the codes to choose among; empty for all."""
    temperature: float = 0.0
    """Of the first attempt at each window; 0: the likeliest text by beam search."""
    numerals: str = "auto"
    """How numbers are written, and in the next one profanity: as in live sessions."""
    profanity: str = "keep"
    redact: tuple[str, ...] = ()
    """What is left out of the text: some of `email`, `phone`, `card`. Tokens then say nothing."""
    tokens: bool = False
    """Whether segments carry the model's tokens with their log-probabilities."""
    channels: str = MIX
    """`mix` hears all channels as one, `split` each by itself, as a speaker of its own."""
    diarize: bool = False
    """Whether segments say who speaks, told by voice. Not with channels apart, which are speakers already."""
    track: int | None = None
    """Which of the file's audio tracks, from 0; None for the one that a player would choose."""
    format: str = "json"
    """Of the result, unless another is asked for."""
    max_line_chars: int = Layout().max_line_chars
    """Longest line of a subtitle."""
    max_lines: int = Layout().max_lines
    """Most lines of a subtitle."""
    priority: str = NORMAL
    """`interactive` jobs begin before `normal` ones, these before `low` ones; windows of `interactive` ones
    are also decoded first."""
    webhook_url: str = ""
    """Address that is told when the job has ended."""

    def __post_init__(self) -> None:
        SpeechOptions.__post_init__(self)
        choices = {
            "channels": CHANNELS,
            "priority": tuple(QUEUES),
            "numerals": NUMERALS,
            "profanity": PROFANITY,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise BadParameter(f"{name} must be one of {', '.join(allowed)}")
        if self.diarize and self.channels == SPLIT:
            raise BadParameter("diarize is for channels=mix: channels that are split are speakers already")
        if self.track is not None and not 0 <= self.track <= TRACK_MAX:
            raise BadParameter(f"track must be from 0 to {TRACK_MAX}")
        object.__setattr__(self, "redact", check_redact(",".join(self.redact)))
        if self.languages and self.language != AUTO:
            raise BadParameter("languages is for language=auto: it says what to choose among")
        if not 0.0 <= self.temperature <= 1.0:
            raise BadParameter("temperature must be from 0 to 1")
        if self.webhook_url:
            check_http_url("webhook_url", self.webhook_url)
        format_named(self.format)
        Layout(self.max_line_chars, self.max_lines)

    @property
    def layout(self) -> Layout:
        """How subtitles are laid out."""
        return Layout(self.max_line_chars, self.max_lines)

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
    position: int | None = None
    """How many jobs begin before it, while it is queued: earlier ones of its priority, and all of higher
    ones. Not in lists."""
    error: JobProblem | None = None
    """Why it failed."""
    warning: str | None = None
    """What was wrong with the file although there is a result: a sentence."""
    name: str | None = None
    """Of the file, as the client called it."""
    duration: float | None = None
    """Seconds of audio, as far as known."""
    channels: int | None = None
    """Of that audio, once a worker has looked."""
    sha256: str | None = None
    """Of the file's bytes, in hexadecimal, once they are here."""
    priority: str | None = None
    created_at: str | None = None
    """RFC 3339, UTC; the same for the next two."""
    started_at: str | None = None
    """When it was last begun."""
    ended_at: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status not in (QUEUED, RUNNING)


def check_job_id(job_id: str) -> str:
    """The id, if it has the form of one. Raises `NotFound`: ids become names of files and keys."""
    if not _ID.fullmatch(job_id):
        raise NotFound("no such job")
    return job_id


def status_word(rq_status: str) -> str:
    """The status word for RQ's own."""
    return _BY_RQ_STATUS.get(rq_status, RUNNING)


def file_name(text: str) -> str:
    """What a client calls its file, made safe to show: the last part of a path, without control characters.
    Nothing on disk is named by it."""
    name = text.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    return shown.strip()[:NAME_CHARS_MAX]


def check_http_url(name: str, url: str) -> str:
    """The address, if it is one that can be asked over HTTP. Raises `BadParameter`."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or len(url) > TEXT_CHARS_MAX or any(char <= " " for char in url):
        raise BadParameter(f"{name} must be an address like https://example.com/path")
    if "@" in urlsplit(url).netloc:
        raise BadParameter(f"{name} must not carry a user name or password")
    return url
