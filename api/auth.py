"""API keys: who may use the server, and as which tenant. Pure, but for the middleware at the end.

Keys are off unless the operator sets some. Then every path needs one, except those that tell nothing of
anybody's speech. A key may come in any of the ways in which clients of the surfaces here send it; neither it
nor a subprotocol that may hold it is ever logged.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.ephemeral import Claims, read
from api.faults import Shapes, fault_of, shape_at
from api.keys import Keyholder, KeyRing
from shared.errors import Unauthorized

OPEN_PATHS: Final = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/favicon.ico"}
)
"""Paths that need no key."""
OPEN_BELOW: Final = ("/static/", "/docs/")
"""And all paths that begin so."""
EPHEMERAL_PATHS: Final = frozenset({"/v1/realtime"})
"""WebSockets that short-lived keys open, too."""

_SCHEMES: Final = frozenset({"bearer", "token"})
_HEADERS: Final = ("api-key", "x-api-key")
_SUBPROTOCOL_KEYS: Final = ("openai-insecure-api-key.", "steno-api-key.")
_NAMES: Final = ("realtime", "steno")
"""Subprotocols that are offered beside one that holds a key."""


def authenticate(ring: KeyRing | None, headers: Mapping[str, str], subprotocols: Sequence[str]) -> str:
    """The tenant that sends these headers (names in lower case) and offers these subprotocols; `""` when
    there are no keys. Raises `Unauthorized`."""
    if ring is None:
        return ""
    given = keys_given(headers, subprotocols)
    for key in given:
        if found := ring.owner(key):
            return found.tenant
    if given:
        raise Unauthorized("this API key is not known here")
    raise Unauthorized("this server needs an API key: send it as 'Authorization: Bearer …'")


def keys_given(headers: Mapping[str, str], subprotocols: Sequence[str]) -> list[str]:
    """All keys that a client sends, known or not."""
    return [*_in_headers(headers), *_in_subprotocols(subprotocols)]


def chosen_subprotocol(offered: Sequence[str]) -> str | None:
    """What the server takes of the subprotocols that a client offers: a browser gives the connection up
    unless one is taken. Never one that holds a key."""
    for name in _NAMES:
        if name in offered:
            return name
    return offered[0] if offered and offered[0].lower() in _SCHEMES else None


def tenant_of(connection: HTTPConnection) -> str:
    """Whose a request or socket is, as the middleware found out."""
    return str(getattr(connection.state, "tenant", ""))


def is_operator(connection: HTTPConnection) -> bool:
    """Whether it is an operator's, who may know what the whole service does."""
    return bool(getattr(connection.state, "is_operator", False))


def client_secret_of(connection: HTTPConnection) -> Claims | None:
    """The short-lived key that a socket came with, if it did."""
    return getattr(connection.state, "client_secret", None)


def needs_key(path: str) -> bool:
    """Whether a path is for those with a key only."""
    return path not in OPEN_PATHS and not path.startswith(OPEN_BELOW)


class Doorkeeper:
    """ASGI middleware: lets requests and sockets with a key in, and notes whose they are. What it refuses is
    answered with 401 in the shape of the path, WebSockets before they are accepted."""

    def __init__(self, app: ASGIApp, *, keys: Keyholder, shapes: Shapes) -> None:
        self._app = app
        self._keys = keys
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and needs_key(scope["path"]):
            connection = HTTPConnection(scope)
            offered: list[str] = scope.get("subprotocols") or []
            try:
                tenant = self._tenant(connection, offered)
            except Unauthorized as error:
                refusal = shape_at(self._shapes, scope["path"])(fault_of(error))
                if scope["type"] == "websocket":
                    await WebSocket(scope, receive, send).send_denial_response(refusal)
                else:
                    await refusal(scope, receive, send)
                return
            connection.state.tenant = tenant
            ring = self._keys.ring
            connection.state.is_operator = ring is None or tenant in ring.operators
        await self._app(scope, receive, send)

    def _tenant(self, connection: HTTPConnection, offered: Sequence[str]) -> str:
        """Raises `Unauthorized`."""
        if connection.scope["type"] == "websocket" and connection.scope["path"] in EPHEMERAL_PATHS:
            for key in keys_given(connection.headers, offered):
                if claims := read(key, self._keys.signing_key(), now_s=time.time()):
                    connection.state.client_secret = claims
                    return claims.tenant
        return authenticate(self._keys.ring, connection.headers, offered)


def _in_headers(headers: Mapping[str, str]) -> Iterator[str]:
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() in _SCHEMES and value.strip():
        yield value.strip()
    for name in _HEADERS:
        if value := headers.get(name, "").strip():
            yield value


def _in_subprotocols(offered: Sequence[str]) -> Iterator[str]:
    for before, value in zip(("", *offered), offered, strict=False):
        for prefix in _SUBPROTOCOL_KEYS:
            if value.startswith(prefix):
                yield value.removeprefix(prefix)
        if before.lower() in _SCHEMES:
            yield value
