"""`POST /v1/tokens`: short-lived keys for pages, made by a server that has a real one."""

import math
import time
from typing import Any, Final, cast

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from api.auth import caller_of
from api.ephemeral import Claims, issue
from api.keys import Keyholder
from api.origins import parse_origins
from api.scopes import LIVE, SCOPES
from shared.errors import BadParameter, Forbidden

TOKEN_S: Final = (10, 900)
_TOKEN_S_USUAL: Final = 60


class TokenAsked(BaseModel):
    """What the token is to be good for."""

    model_config = ConfigDict(extra="forbid")

    expires_in_s: int = Field(_TOKEN_S_USUAL, ge=TOKEN_S[0], le=TOKEN_S[1])
    """Connections that are open then stay open; opening or resuming one needs another token."""
    scopes: list[str] = Field(default_factory=lambda: [LIVE], min_length=1, max_length=len(SCOPES))
    origin: str = Field("", max_length=300)
    """The only page that may use it, as `https://host[:port]`; empty: any."""


class Token(BaseModel):
    """A token: send it wherever a key is sent."""

    token: str
    expires_at: int
    """Seconds since 1970."""
    scopes: list[str]
    origin: str


def token_router(keys: Keyholder) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["keys"])

    @router.post("/v1/tokens", status_code=201)
    async def make(request: Request, asked: TokenAsked) -> Token:
        """Make a short-lived key for a page."""
        caller = caller_of(request)
        if caller.claims is not None:
            raise Forbidden("a short-lived key makes no others; use an API key")
        for scope in asked.scopes:
            if scope not in SCOPES:
                raise BadParameter(f"scopes are {', '.join(SCOPES)}", param="scopes")
            if scope not in caller.scopes:
                raise Forbidden(f"this key has not the scope {scope}, and can't give it away")
        if asked.origin:
            (asked.origin,) = _origin(asked.origin)
        expires_at = math.floor(time.time()) + asked.expires_in_s
        claims = Claims(caller.tenant, expires_at, {}, tuple(dict.fromkeys(asked.scopes)), asked.origin)
        token = issue(claims, keys.signer(caller.key))
        return Token(token=token, expires_at=expires_at, scopes=list(claims.scopes), origin=claims.origin)

    return router


def _origin(text: str) -> tuple[str]:
    """Raises `BadParameter`."""
    try:
        allowed: Any = parse_origins(text, is_local=False).allowed
    except BadParameter:
        allowed = ()
    if len(allowed) != 1 or "*" in allowed:
        raise BadParameter("origin must be scheme://host or scheme://host:port", param="origin")
    return cast(tuple[str], tuple(allowed))
