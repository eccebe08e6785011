"""What can't be served, as the answer to a request or an upgrade. Pure."""

from fastapi.responses import JSONResponse

from api.faults import Fault, fault_of
from api.openai.errors import openai_shape
from api.openai_realtime.commands import Refused
from shared.errors import StenoError

_BAD_REQUEST, _NOT_FOUND = 400, 404


def denied(error: StenoError) -> JSONResponse:
    """The answer. A `Refused` has code and parameter of its own."""
    if not isinstance(error, Refused):
        return openai_shape(fault_of(error))
    status = _NOT_FOUND if error.reason == "model_not_found" else _BAD_REQUEST
    return openai_shape(Fault(status=status, code=error.reason, message=error.message, param=error.param))
