"""The one tree of errors that cross a boundary: process to process, or server to client.

    StenoError
    ├── BadRequest           the client sent something that can't be served
    │   ├── BadParameter         a query or form value is wrong
    │   ├── BadMessage           a message that the protocol does not know
    │   ├── BadAudio             bytes that are not the audio they claim to be
    │   ├── TooLarge             over a documented limit
    │   ├── NotAcceptable        an offer of WebRTC that leaves nothing to agree on
    │   └── UploadStalled        the request's body comes too slowly
    ├── Unauthorized         no API key, or one that is not known
    ├── Forbidden            a web page that may not speak to this server
    ├── NotFound             no such session, job or result
    │   └── UnknownModel         no such model here
    ├── NotFinished          the job has no result yet
    ├── TakenOver            a newer connection has the session
    ├── Conflict             the job's state does not allow it
    │   └── KeyReused            the idempotency key stands for another request
    ├── Unavailable          nothing wrong with the request; try again later
    │   ├── NoCapacity           no worker took the session in time
    │   ├── QuotaExceeded        the tenant has as much as it may have
    │   ├── RateLimited          the tenant asks too often
    │   ├── BrokerLost           Redis can't be reached
    │   ├── MustResume           the connection can't go on; the session does, on another one
    │   ├── StorageFull          no room for more files of jobs
    │   └── FetchFailed          a file could not be fetched from its address
    ├── EngineFault          the decoder failed on this work
    │   └── DeviceFault          it will fail on any: the process must be replaced
    ├── ModelUnavailable     the model can't be had; the text says what to do
    └── Superseded           another worker owns this session now; not shown to clients

Each class has a stable `code` for programs, `retryable` (sensible to do the same again) and `blame`.
`api.faults` is the one table from codes to HTTP statuses and close codes. Messages never carry transcript
text or audio.
"""

from typing import ClassVar, Literal

Blame = Literal["client", "server"]


class StenoError(Exception):
    """Base of every expected error. `str(error)` is a sentence for a person."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    blame: ClassVar[Blame] = "server"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class BadRequest(StenoError):
    """The client sent something that can't be served."""

    code = "bad_request"
    blame = "client"


class BadParameter(BadRequest):
    """A query or form value is wrong; the message names it and what is allowed. `param` is its name, where
    that is known apart from the message."""

    code = "bad_parameter"

    def __init__(self, message: str, *, param: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.param = param


class BadMessage(BadRequest):
    """A message that the protocol does not know."""

    code = "bad_message"


class BadAudio(BadRequest):
    """Bytes that are not the audio they claim to be."""

    code = "bad_audio"


class TooLarge(BadRequest):
    """Over a documented limit."""

    code = "too_large"


class NotAcceptable(BadRequest):
    """An offer of WebRTC that can be read, and leaves nothing to agree on."""

    code = "not_acceptable"


class UploadStalled(BadRequest):
    """The request's body comes too slowly, or not to its end."""

    code = "upload_stalled"
    retryable = True


class Unauthorized(StenoError):
    """No API key was sent, or one that this server does not know."""

    code = "unauthorized"
    blame = "client"


class Forbidden(StenoError):
    """A web page that this server does not serve."""

    code = "forbidden"
    blame = "client"


class NotFound(StenoError):
    """No such session, job or result."""

    code = "not_found"
    blame = "client"


class UnknownModel(NotFound):
    """No such model here; the message says which there are."""

    code = "model_not_found"


class NotFinished(StenoError):
    """The job has no result yet; the message says what it is doing."""

    code = "not_finished"
    retryable = True
    blame = "client"


class TakenOver(StenoError):
    """A newer connection has the session; this one is closed, the session goes on there."""

    code = "taken_over"
    blame = "client"


class Conflict(StenoError):
    """The job's state does not allow it; the message names both."""

    code = "conflict"
    blame = "client"


class KeyReused(Conflict):
    """The idempotency key stands for a request with another file or other options."""

    code = "idempotency_key_reused"


class Unavailable(StenoError):
    """Nothing is wrong with the request; try again after `retry_after_s`."""

    code = "unavailable"
    retryable = True


class NoCapacity(Unavailable):
    """No worker took the session in time."""

    code = "no_capacity"


class QuotaExceeded(Unavailable):
    """The tenant has as much as it may have: sessions, audio, jobs or bytes; the message says of what."""

    code = "quota_exceeded"
    blame = "client"


class RateLimited(Unavailable):
    """The tenant asks more often than it may."""

    code = "rate_limited"
    blame = "client"


class BrokerLost(Unavailable):
    """Redis can't be reached."""

    code = "broker_lost"


class MustResume(Unavailable):
    """The connection can't go on, the session does: resume it."""

    code = "must_resume"


class StorageFull(Unavailable):
    """No room for more files of jobs."""

    code = "storage_full"


class FetchFailed(Unavailable):
    """A file could not be fetched from the address that the client gave; the message says why."""

    code = "fetch_failed"


class EngineFault(StenoError):
    """The decoder failed on this work."""

    code = "engine_fault"
    retryable = True


class DeviceFault(EngineFault):
    """The decoder or its device will fail on any work from now on, or does not come back: the process must be
    replaced. Clients see an `EngineFault`."""


class ModelUnavailable(StenoError):
    """The model can't be had; the message says what to do."""

    code = "model_unavailable"


class Superseded(StenoError):
    """Another worker owns this session now. The author of the refused write stops; no one else notices."""

    code = "superseded"
