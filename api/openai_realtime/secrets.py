"""Short-lived keys for browsers: `POST /v1/realtime/client_secrets`, and what the beta had for it."""

import json
import math
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final, cast

from fastapi import Request
from fastapi.responses import JSONResponse

from api.auth import caller_of
from api.ephemeral import Claims, issue
from api.keys import Keyholder
from api.openai_realtime.commands import Refused
from api.openai_realtime.config import RealtimeConfig, initial, updated
from api.openai_realtime.names import DEFAULT_MODEL, served_model
from api.openai_realtime.native import native
from api.openai_realtime.refusals import denied
from api.openai_realtime.shapes import session_object
from api.scopes import REALTIME
from api.session_desk import SessionDesk
from shared.errors import Forbidden

_BODY_BYTES_MAX: Final = 64 * 1024
_SECONDS: Final = (10, 7200)
_SECONDS_USUAL: Final = 600
_BETA_SECONDS: Final = 60


class SecretDesk:
    """Makes keys, signed with the API keys that they are asked for with."""

    def __init__(self, desk: SessionDesk, aliases: Mapping[str, str], keys: Keyholder) -> None:
        self._desk = desk
        self._aliases = aliases
        self._keys = keys

    async def client_secret(self, request: Request) -> JSONResponse:
        """`POST /v1/realtime/client_secrets`."""
        try:
            body = await _body(request)
            session = _object(body.get("session") or {}, "session")
            config = await self._checked(session)
            expires_at = math.floor(time.time()) + _lasts_s(body.get("expires_after"))
        except Refused as refused:
            return denied(refused)
        value = self._issued(request, expires_at, session)
        shown = _shown(config, expires_at, is_beta=False)
        return JSONResponse({"value": value, "expires_at": expires_at, "session": shown})

    async def transcription_session(self, request: Request) -> JSONResponse:
        """`POST /v1/realtime/transcription_sessions`, of the beta: the body is the configuration."""
        try:
            session = await _body(request)
            config = await self._checked(session)
        except Refused as refused:
            return denied(refused)
        expires_at = math.floor(time.time()) + _BETA_SECONDS
        value = self._issued(request, expires_at, session)
        shown = _shown(config, expires_at, is_beta=True)
        return JSONResponse(shown | {"client_secret": {"value": value, "expires_at": expires_at}})

    def _issued(self, request: Request, expires_at: int, session: Mapping[str, Any]) -> str:
        caller = caller_of(request)
        if caller.claims is not None:
            raise Forbidden("a short-lived key makes no others; use an API key")
        claims = Claims(caller.tenant, expires_at, session, (REALTIME,))
        return issue(claims, self._keys.signer(caller.key))

    async def _checked(self, session: Mapping[str, Any]) -> RealtimeConfig:
        """The configuration, if it can be served. Raises `Refused`."""
        config = updated(initial(DEFAULT_MODEL), session)
        workers = await self._desk.workers()
        native(config, lambda name: served_model(name, self._aliases, workers), workers)
        return config


def _shown(config: RealtimeConfig, expires_at: int, *, is_beta: bool) -> dict[str, Any]:
    ident = f"sess_{uuid.uuid4().hex[:24]}"
    return session_object(ident, config, expires_at=expires_at, is_beta=is_beta)


async def _body(request: Request) -> Mapping[str, Any]:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY_BYTES_MAX:
            raise Refused(f"the body is longer than {_BODY_BYTES_MAX} bytes")
    try:
        body: Any = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Refused("the body is not valid JSON", reason="invalid_json") from None
    return _object(body, "body")


def _object(value: object, param: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{param} must be an object", reason="invalid_type", param=param)
    return cast(dict[str, Any], value)


def _lasts_s(given: object) -> int:
    if given is None:
        return _SECONDS_USUAL
    seconds = _object(given, "expires_after").get("seconds", _SECONDS_USUAL)
    low, high = _SECONDS
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not low <= seconds <= high:
        raise Refused(f"seconds must be from {low} to {high}", param="expires_after.seconds")
    return seconds
