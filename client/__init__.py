"""Steno's client: live sessions and file jobs from Python.

Everything here is async; `client.sync` has the same names without it.
"""

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
from client.jobs import Job, Jobs, ResultFormat, Timeout
from client.options import DEFAULT_URL, StreamOptions
from client.resuming import ConnectionChange, Resume
from client.stream import LiveSession, connect
from shared.errors import (
    BadAudio,
    BadMessage,
    BadParameter,
    BadRequest,
    BrokerLost,
    EngineFault,
    ModelUnavailable,
    NoCapacity,
    NotFinished,
    NotFound,
    StenoError,
    TakenOver,
    TooLarge,
    Unavailable,
)
from shared.events import (
    Closed,
    Event,
    Final,
    Language,
    Limits,
    Partial,
    Ready,
    SpeechEnd,
    SpeechStart,
    Warning,
    Word,
)
from shared.jobs import JobOptions, JobProblem

__all__ = [
    "DEFAULT_URL",
    "BadAudio",
    "BadMessage",
    "BadParameter",
    "BadReply",
    "BadRequest",
    "BrokerLost",
    "Closed",
    "ConnectionChange",
    "ConnectionLost",
    "EngineFault",
    "Event",
    "Final",
    "Job",
    "JobFailed",
    "JobOptions",
    "JobProblem",
    "Jobs",
    "Language",
    "Limits",
    "LiveSession",
    "LiveTranscript",
    "ModelUnavailable",
    "NoCapacity",
    "NotFinished",
    "NotFound",
    "NotInstalled",
    "Partial",
    "Ready",
    "ResultFormat",
    "Resume",
    "ResumeFailed",
    "SessionOver",
    "SpeechEnd",
    "SpeechStart",
    "StenoError",
    "StreamOptions",
    "TakenOver",
    "TimedOut",
    "Timeout",
    "TooLarge",
    "Unavailable",
    "Warning",
    "Word",
    "connect",
]
