"""Errors as OpenAI's clients read them."""

import uuid
from typing import Any, Final

from fastapi.responses import JSONResponse

from api.faults import Fault, error_type

REQUEST_ID: Final = "x-request-id"

_CODES: Final = {"unauthorized": "invalid_api_key", "rate_limited": "rate_limit_exceeded"}
"""Codes that are called otherwise there."""
_PARAMS: Final = {"bad_audio": "file", "model_not_found": "model"}
"""The parameter that an error is about, where the error does not say so."""
_FIELDS: Final = frozenset(
    {"file", "model", "language", "languages", "prompt", "response_format", "temperature", "input_audio"}
)
_AGAIN: Final = frozenset({429, 502, 503, 507})
"""Statuses that say nothing has been done yet: to ask again later makes sense. After any other, clients that
try again by themselves would have the same work done once more, for the same error."""


def request_id() -> str:
    """A new request id."""
    return f"req_{uuid.uuid4().hex}"


def error_body(fault: Fault) -> dict[str, Any]:
    """The JSON body of an error."""
    first = fault.message.partition(" ")[0].rstrip(":")
    param = fault.param or _PARAMS.get(fault.code) or (first if first in _FIELDS else None)
    return {
        "error": {
            "message": fault.message,
            "type": error_type(fault.status),
            "param": param,
            "code": _CODES.get(fault.code, fault.code),
        }
    }


def openai_shape(fault: Fault) -> JSONResponse:
    """An error as the answer to a request, or to an upgrade."""
    again = fault.retryable and fault.status in _AGAIN
    headers = {
        **fault.all_headers,
        REQUEST_ID: request_id(),
        "x-should-retry": "true" if again else "false",
    }
    return JSONResponse(error_body(fault), fault.status, headers)
