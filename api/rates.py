"""How often a tenant may ask: HTTP requests and upgrades, counted as they come in.

Answers say what is left in the fields of draft-ietf-httpapi-ratelimit-headers; refusals are 429 in the shape
of their path, with `Retry-After`.
"""

import math
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.auth import needs_key, tenant_of
from api.faults import Shapes, fault_of, shape_at
from api.metrics import RATE_LIMITED
from api.tenants import Tenants
from shared.errors import RateLimited
from shared.redis.connection import ConnectionLost
from shared.redis.quotas import Passage, Turnstile

_POLICY: Final = "requests"


class Rates:
    """What bounds the requests of tenants."""

    def __init__(self, tenants: Tenants, turnstile: Turnstile) -> None:
        self._tenants = tenants
        self._turnstile = turnstile

    async def count(self, tenant: str) -> Mapping[str, str]:
        """Count a request. Returns the headers that tell how many more there may be. Raises `RateLimited`;
        lets all pass while Redis can't be reached, which they find out by themselves."""
        limit = self._tenants.of(tenant).requests_per_minute
        if not limit:
            return {}
        try:
            passage = await self._turnstile.ask(tenant, limit)
        except ConnectionLost:
            return {}
        if not passage.is_free:
            RATE_LIMITED.inc()
            raise RateLimited(
                f"this key's requests are at their bound of {limit} in {self._turnstile.period_s} s",
                retry_after_s=passage.retry_after_s,
            )
        return headers_of(passage, limit, self._turnstile.period_s)


def headers_of(passage: Passage, limit: int, period_s: int) -> Mapping[str, str]:
    """What an answer says."""
    return {
        "RateLimit-Policy": f'"{_POLICY}";q={limit};w={period_s}',
        "RateLimit": f'"{_POLICY}";r={passage.left};t={math.ceil(passage.reset_s)}',
    }


class RateLimiter:
    """ASGI middleware, behind the one that knows whose a request is."""

    def __init__(self, app: ASGIApp, *, rates: Rates, shapes: Shapes) -> None:
        self._app = app
        self._rates = rates
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not needs_key(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            told = await self._rates.count(tenant_of(HTTPConnection(scope)))
        except RateLimited as error:
            refusal = shape_at(self._shapes, scope["path"])(fault_of(error))
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(refusal)
            else:
                await refusal(scope, receive, send)
            return
        if not told or scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        await self._app(scope, receive, send_told)
