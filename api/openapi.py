"""The description of the HTTP API, `/openapi.json`: as FastAPI makes it, with the errors that there are
and the key that is asked for."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.auth import needs_key

_CODE: Final = {"type": "string", "description": "stable word for programs"}
_MESSAGE: Final = {"type": "string", "description": "a sentence for a person"}
_PARAM: Final = {"type": ["string", "null"]}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_NATIVE: Final = _object(
    error=_object(
        code=_CODE, message=_MESSAGE, retryable={"type": "boolean"}, type={"type": "string"}, param=_PARAM
    )
)
_OPENAI: Final = _object(error=_object(message=_MESSAGE, type={"type": "string"}, param=_PARAM, code=_CODE))
_DEEPGRAM: Final = _object(err_code=_CODE, err_msg=_MESSAGE, request_id={"type": "string"})
_ASR: Final = _object(detail=_MESSAGE)
_SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "/v1/audio": _OPENAI,
    "/v1/models": _OPENAI,
    "/v1/realtime": _OPENAI,
    "/v1/listen": _DEEPGRAM,
    "/asr": _ASR,
    "/detect-language": _ASR,
}
_REFUSALS: Final = {
    "4XX": "the request can't be served as it is, or the key may not make it",
    "503": "nothing is wrong with the request: try again after `Retry-After`",
}
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def describe(app: FastAPI) -> None:
    """Let the application describe itself so."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_document(app))
        return made

    app.openapi = openapi


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    parts: dict[str, Any] = document.setdefault("components", {})
    for name in ("HTTPValidationError", "ValidationError"):  # such errors are answered as all others
        parts.get("schemas", {}).pop(name, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        shape = next((s for prefix, s in _SHAPES.items() if f"{path}/".startswith(f"{prefix}/")), _NATIVE)
        for method in _METHODS.intersection(operations):
            operation: dict[str, Any] = operations[method]
            responses: dict[str, Any] = operation["responses"]
            responses.pop("422", None)
            if not needs_key(path):
                continue
            operation["security"] = [{"key": []}, {}]
            for status, text in _REFUSALS.items():
                content = {"application/json": {"schema": shape}}
                responses.setdefault(status, {"description": text, "content": content})
    return document
