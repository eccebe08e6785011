"""Errors over HTTP as Deepgram writes them: before a socket is accepted, and to a file."""

import uuid
from collections.abc import Mapping
from typing import Final

from fastapi.responses import JSONResponse

from api.faults import Fault, fault_of
from shared.errors import StenoError

_CODES: Final[Mapping[str, str]] = {
    "bad_parameter": "INVALID_QUERY_PARAMETER",
    "bad_audio": "Bad Request",
    "bad_request": "Bad Request",
    "fetch_failed": "REMOTE_CONTENT_ERROR",
    "too_large": "PAYLOAD_TOO_LARGE",
    "upload_stalled": "SLOW_UPLOAD",
    "unauthorized": "INVALID_AUTH",
    "rate_limited": "TOO_MANY_REQUESTS",
    "quota_exceeded": "TOO_MANY_REQUESTS",
}
"""Deepgram's code by ours; one that is not here is ours in capitals."""


def deepgram_shape(fault: Fault) -> JSONResponse:
    """An error of a request that has no id yet."""
    return _answer(fault, str(uuid.uuid4()))


def refusal(error: StenoError, request_id: str) -> JSONResponse:
    """The answer to an error."""
    return _answer(fault_of(error), request_id)


def _answer(fault: Fault, request_id: str) -> JSONResponse:
    headers = {**fault.all_headers, "dg-request-id": request_id, "dg-error": _header(fault.message)}
    code = _CODES.get(fault.code, fault.code.upper())
    content = {"err_code": code, "err_msg": fault.message, "request_id": request_id}
    return JSONResponse(content, fault.status, headers)


def _header(text: str) -> str:
    return text.replace("\n", " ").encode("ascii", "replace").decode()
