"""The errors that the client raises.

What the server reports is raised as the class of `shared.errors` with the same code, so that
`except NoCapacity as error: sleep(error.retry_after_s)` works across the wire; a code from a newer server
becomes a plain `StenoError`. What only a client can see is added here:

    StenoError
    ├── Unavailable
    │   ├── ConnectionLost   no connection, or it ended before the session did
    │   │   └── ResumeFailed     and the session could not be resumed on a new one
    │   └── TimedOut         no answer within the `Timeout`
    ├── SessionOver          audio was sent after the session's end
    ├── BadReply             the other side does not speak the protocol
    ├── JobFailed            the job ended without a result
    └── NotInstalled         an optional package is missing; the text says which
"""

import json
from typing import Any

import shared.errors
from shared.errors import StenoError, Unavailable


class ConnectionLost(Unavailable):
    """No connection, or it ended before the session did."""

    code = "connection_lost"


class ResumeFailed(ConnectionLost):
    """A connection was lost, and the session could not be resumed on a new one: finals received before stay
    valid, what was said since is lost to this client. The cause says what was wrong at last."""

    code = "resume_failed"


class TimedOut(Unavailable):
    """No answer within the `Timeout`."""

    code = "timed_out"


class SessionOver(StenoError):
    """Audio was sent after the session's end. Nothing is wrong with what was sent before."""

    code = "session_over"
    blame = "client"


class BadReply(StenoError):
    """The other side does not speak the protocol: not a Steno server, or a much newer one."""

    code = "bad_reply"


class JobFailed(StenoError):
    """The job ended without a result; the message says why."""

    code = "job_failed"


class NotInstalled(StenoError):
    """An optional package is missing; the message says which."""

    code = "not_installed"
    blame = "client"


def unanswered(address: str, why: object) -> ConnectionLost:
    """Nobody listens at an address of a server."""
    return ConnectionLost(f"can't reach {address} ({why}); start it with 'steno up', or give another address")


_BY_CODE = {
    cls.code: cls
    for cls in vars(shared.errors).values()
    if isinstance(cls, type) and issubclass(cls, StenoError)
}


def from_server(
    code: str, message: str, *, retryable: bool = False, retry_after_s: float | None = None
) -> StenoError:
    """The error that the server named, to be raised. `code` and `retryable` are always the server's."""
    error = _BY_CODE.get(code, StenoError)(message, retry_after_s=retry_after_s)
    # On the instance: the class says what is true in general, the server what is true this time.
    vars(error).update(code=code, retryable=retryable)
    return error


def from_response(status: int, body: bytes, *, retry_after: str | None) -> StenoError:
    """The error in an HTTP reply: its JSON body `{"error": {"code", "message", "retryable"}}` and its
    `Retry-After` header."""
    after_s = float(retry_after) if retry_after and retry_after.isdecimal() else None
    try:
        document: Any = json.loads(body)
        fields = document["error"]
        code, message = str(fields["code"]), str(fields["message"])
        retryable = bool(fields.get("retryable", False))
    except (ValueError, TypeError, KeyError, AttributeError):
        if status in (502, 503, 504):  # said by a proxy on the way
            return Unavailable(
                f"the server can't be reached (HTTP {status}); try again", retry_after_s=after_s
            )
        return BadReply(f"HTTP {status} without a Steno error; is this the address of a Steno server?")
    return from_server(code, message, retryable=retryable, retry_after_s=after_s)
