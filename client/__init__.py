"""Steno's client: live sessions and file jobs from Python.

Everything here is async; `client.sync` has the same names without it.
"""

from client.calling import Timeout
from client.errors import (
    BadReply,
    ConnectionLost,
    JobFailed,
    NotInstalled,
    ResumeFailed,
    SessionOver,
    TimedOut,
)
from client.incoming import LiveTranscript
from client.job_events import JobEvent, JobGone, JobProgress
from client.jobs import Job, JobPage, Jobs, ResultFormat
from client.options import DEFAULT_URL, StreamOptions
from client.resuming import ConnectionChange, Resume
from client.sources import media_file, microphone
from client.stream import LiveSession, connect
from client.watch import Watch
from shared.errors import (
    BadAudio,
    BadMessage,
    BadParameter,
    BadRequest,
    BrokerLost,
    Conflict,
    EngineFault,
    FetchFailed,
    Forbidden,
    KeyReused,
    ModelUnavailable,
    NoCapacity,
    NotFinished,
    NotFound,
    QuotaExceeded,
    StenoError,
    StorageFull,
    TakenOver,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownModel,
    UploadStalled,
)
from shared.events import (
    Ack,
    Closed,
    Event,
    Final,
    Finalized,
    Language,
    Limits,
    Partial,
    Ready,
    SpeechEnd,
    SpeechStart,
    Warning,
    Word,
)
from shared.jobs import JobOptions, JobProblem, JobRecord
from shared.subtitles import Layout
from shared.system import Fleet, Sample, SessionSight, System, WorkerSight
from shared.transcript import Segment
from shared.webhooks import Delivery

__all__ = [
    "DEFAULT_URL",
    "Ack",
    "BadAudio",
    "BadMessage",
    "BadParameter",
    "BadReply",
    "BadRequest",
    "BrokerLost",
    "Closed",
    "Conflict",
    "ConnectionChange",
    "ConnectionLost",
    "Delivery",
    "EngineFault",
    "Event",
    "FetchFailed",
    "Final",
    "Finalized",
    "Fleet",
    "Forbidden",
    "Job",
    "JobEvent",
    "JobFailed",
    "JobGone",
    "JobOptions",
    "JobPage",
    "JobProblem",
    "JobProgress",
    "JobRecord",
    "Jobs",
    "KeyReused",
    "Language",
    "Layout",
    "Limits",
    "LiveSession",
    "LiveTranscript",
    "ModelUnavailable",
    "NoCapacity",
    "NotFinished",
    "NotFound",
    "NotInstalled",
    "Partial",
    "QuotaExceeded",
    "Ready",
    "ResultFormat",
    "Resume",
    "ResumeFailed",
    "Sample",
    "Segment",
    "SessionOver",
    "SessionSight",
    "SpeechEnd",
    "SpeechStart",
    "StenoError",
    "StorageFull",
    "StreamOptions",
    "System",
    "TakenOver",
    "TimedOut",
    "Timeout",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UnknownModel",
    "UploadStalled",
    "Warning",
    "Watch",
    "Word",
    "WorkerSight",
    "connect",
    "media_file",
    "microphone",
]
