"""The one table from errors to what a client sees: HTTP statuses, WebSocket close codes and the JSON body.

Every HTTP error of the edge has the body `{"error": {"code", "message", "retryable"}}`; when trying again
makes sense at a known time, `Retry-After` says when.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.errors import BrokerLost, StenoError
from shared.redis.connection import ConnectionLost

log = logging.getLogger(__name__)

STATUS: Final[Mapping[str, int]] = {
    "internal": 500,
    "bad_request": 400,
    "bad_parameter": 400,
    "bad_message": 400,
    "bad_audio": 400,
    "too_large": 413,
    "not_found": 404,
    "not_finished": 409,
    "unavailable": 503,
    "no_capacity": 503,
    "broker_lost": 503,
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
    "not_found": 1008,
    "too_large": 1009,
    "unavailable": 1013,
    "no_capacity": 1013,
    "broker_lost": 1013,
    "taken_over": 4001,
    "must_resume": 4002,
}
"""WebSocket close code by error code; a code that is not here closes with 1011."""

_RETRY_AFTER_S: Final = 1.0
_CODE_BY_STATUS: Final[Mapping[int, str]] = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def status_of(error: StenoError) -> int:
    """The HTTP status that an error is answered with."""
    return STATUS.get(error.code, 500)


def close_code_of(error: StenoError) -> int:
    """The code that a WebSocket is closed with after an error."""
    return CLOSE.get(error.code, 1011)


def body(code: str, message: str, *, retryable: bool = False) -> dict[str, Any]:
    """The JSON body of an error."""
    return {"error": {"code": code, "message": message, "retryable": retryable}}


def response(error: StenoError) -> JSONResponse:
    """The HTTP answer to an error."""
    headers = (
        {"Retry-After": str(math.ceil(error.retry_after_s))} if error.retry_after_s is not None else None
    )
    content = body(error.code, error.message, retryable=error.retryable)
    return JSONResponse(content, status_of(error), headers)


def install(app: FastAPI) -> None:
    """Answer every error of the application in the one shape."""
    app.add_exception_handler(StenoError, _on_steno_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    for lost in ConnectionLost:
        app.add_exception_handler(lost, _on_broker_lost)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_steno_error(request: Request, error: Exception) -> JSONResponse:
    error = cast(StenoError, error)
    if error.blame == "server":
        log.warning("%s %s: %s: %s", request.method, request.url.path, error.code, error.message)
    return response(error)


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    first = cast(RequestValidationError, error).errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else "request"
    return JSONResponse(body("bad_parameter", f"{name}: {first['msg']}"), 400)


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    error = cast(HTTPException, error)
    code = _CODE_BY_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
    return JSONResponse(body(code, str(error.detail)), error.status_code, error.headers)


async def _on_broker_lost(request: Request, error: Exception) -> JSONResponse:
    return await _on_steno_error(
        request, BrokerLost("Redis can't be reached; try again in a moment", retry_after_s=_RETRY_AFTER_S)
    )


async def _on_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    # The server above logs the traceback; the client learns nothing of the inside.
    return JSONResponse(body("internal", "something went wrong in the server; its log says what"), 500)
