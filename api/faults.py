"""The one table from errors to what a client sees: HTTP statuses, WebSocket close codes and the JSON body.

An HTTP error of the edge has the body `{"error": {"code", "message", "retryable", "type", "param"}}`, except
on paths of a surface that is another product's, which has a shape of its own; when trying again makes sense
at a known time, `Retry-After` says when.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from shared.errors import BadParameter, BrokerLost, StenoError
from shared.events import Error
from shared.redis.connection import ConnectionLost

log = logging.getLogger(__name__)

STATUS: Final[Mapping[str, int]] = {
    "internal": 500,
    "bad_request": 400,
    "bad_parameter": 400,
    "bad_message": 400,
    "bad_audio": 400,
    "too_large": 413,
    "not_acceptable": 406,
    "upload_stalled": 408,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "model_not_found": 404,
    "not_finished": 409,
    "conflict": 409,
    "idempotency_key_reused": 409,
    "unavailable": 503,
    "no_capacity": 503,
    "quota_exceeded": 429,
    "rate_limited": 429,
    "broker_lost": 503,
    "storage_full": 507,
    "fetch_failed": 502,
    "engine_fault": 500,
    "model_unavailable": 503,
    "superseded": 500,
    "taken_over": 409,
    "must_resume": 503,
}
"""HTTP status by error code; a code that is not here is a 500."""

CLOSE: Final[Mapping[str, int]] = {
    "bad_request": 1008,
    "bad_parameter": 1008,
    "bad_message": 1008,
    "bad_audio": 1008,
    "unauthorized": 1008,
    "forbidden": 1008,
    "not_found": 1008,
    "model_not_found": 1008,
    "too_large": 1009,
    "unavailable": 1013,
    "no_capacity": 1013,
    "quota_exceeded": 1013,
    "rate_limited": 1013,
    "broker_lost": 1013,
    "taken_over": 4001,
    "must_resume": 4002,
}
"""WebSocket close code by error code; a code that is not here closes with 1011."""

_RETRY_AFTER_S: Final = 1.0
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_TIMEOUT: Final = 408
_CLIENT_GONE: Final = 499
"""Nobody reads it; it is what access logs and metrics count."""
_CODE_BY_STATUS: Final[Mapping[int, str]] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def status_of(error: StenoError) -> int:
    """The HTTP status that an error is answered with."""
    return STATUS.get(error.code, 500)


def close_code_of(error: StenoError) -> int:
    """The code that a WebSocket is closed with after an error."""
    return CLOSE.get(error.code, 1011)


def body(
    code: str, message: str, *, retryable: bool = False, status: int = 400, param: str = ""
) -> dict[str, Any]:
    """The JSON body of an error. `type` and `param` are for clients of OpenAI's API, which read nothing
    else."""
    kind = error_type(status)
    fields = {"code": code, "message": message, "retryable": retryable, "type": kind, "param": param or None}
    return {"error": fields}


def error_type(status: int) -> str:
    """OpenAI's word for a kind of error."""
    if status == _TOO_MANY:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An HTTP error, before it has a shape."""

    status: int
    code: str
    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    param: str = ""
    """The query or form value that is wrong, where that is known."""
    headers: Mapping[str, str] | None = None

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers that every shape sends."""
        headers = dict(self.headers or {})
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(math.ceil(self.retry_after_s))
        if self.status == _UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == _TIMEOUT:  # who trickles would go on doing it
            headers["Connection"] = "close"
        return headers


Shape = Callable[[Fault], JSONResponse]
"""How a surface writes an error."""
Shapes = Mapping[str, Shape]
"""The shape of each surface that has its own, by the path that all its routes begin with."""


def fault_of(error: StenoError) -> Fault:
    """The HTTP error for an error."""
    return Fault(
        status=status_of(error),
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
        param=error.param if isinstance(error, BadParameter) else "",
    )


def fault_of_event(error: Error) -> Fault:
    """The HTTP error for what a session says instead of opening."""
    return Fault(
        status=STATUS.get(error.code, 500),
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
    )


def native_shape(fault: Fault) -> JSONResponse:
    """Steno's own."""
    content = body(
        fault.code, fault.message, retryable=fault.retryable, status=fault.status, param=fault.param
    )
    return JSONResponse(content, fault.status, fault.all_headers)


def shape_at(shapes: Shapes, path: str) -> Shape:
    """The shape of errors on a path."""
    for prefix, shape in shapes.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return shape
    return native_shape


def response(error: StenoError) -> JSONResponse:
    """The HTTP answer to an error on Steno's own paths."""
    return native_shape(fault_of(error))


def install(app: FastAPI, shapes: Shapes | None = None) -> None:
    """Answer every error of the application in the shape of its path."""
    answers = _Answers(shapes or {})
    app.add_exception_handler(StenoError, answers.steno_error)
    app.add_exception_handler(RequestValidationError, answers.invalid_request)
    app.add_exception_handler(HTTPException, answers.http_exception)
    for lost in ConnectionLost:
        app.add_exception_handler(lost, answers.broker_lost)
    app.add_exception_handler(ClientDisconnect, _hung_up)
    app.add_exception_handler(Exception, answers.unexpected)


async def _hung_up(_request: Request, _error: Exception) -> Response:
    """A client that hangs up in mid-request is no fault of the server."""
    return Response(status_code=_CLIENT_GONE)


class _Answers:
    """What each kind of exception is answered with."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def _answer(self, request: Request, fault: Fault) -> JSONResponse:
        return shape_at(self._shapes, request.url.path)(fault)

    async def steno_error(self, request: Request, error: Exception) -> JSONResponse:
        error = cast(StenoError, error)
        if error.blame == "server":
            log.warning("%s %s: %s: %s", request.method, request.url.path, error.code, error.message)
        return self._answer(request, fault_of(error))

    async def invalid_request(self, request: Request, error: Exception) -> JSONResponse:
        first = cast(RequestValidationError, error).errors()[0]
        name = str(first["loc"][-1]) if first["loc"] else "request"
        fault = Fault(status=400, code="bad_parameter", message=f"{name}: {first['msg']}", param=name)
        return self._answer(request, fault)

    async def http_exception(self, request: Request, error: Exception) -> JSONResponse:
        error = cast(HTTPException, error)
        status = error.status_code
        code = _CODE_BY_STATUS.get(status, "bad_request" if status < 500 else "internal")
        fault = Fault(status=status, code=code, message=str(error.detail), headers=error.headers)
        return self._answer(request, fault)

    async def broker_lost(self, request: Request, error: Exception) -> JSONResponse:
        lost = BrokerLost("Redis can't be reached; try again in a moment", retry_after_s=_RETRY_AFTER_S)
        return await self.steno_error(request, lost)

    async def unexpected(self, request: Request, error: Exception) -> JSONResponse:
        # The server above logs the traceback; the client learns nothing of the inside.
        message = "something went wrong in the server; its log says what"
        return self._answer(request, Fault(status=500, code="internal", message=message))
