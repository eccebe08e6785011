"""API keys: who may use the server, and as which tenant. Pure, but for the middleware at the end.

Keys are off unless the operator sets some. Then every path needs one, except those that tell nothing of
anybody's speech. A key may come in any of the ways in which clients of the surfaces here send it; neither it
nor a subprotocol that may hold it is ever logged.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.ephemeral import Claims, id_of, read
from api.faults import Shapes, fault_of, shape_at
from api.keys import ANYONE, ApiKey, Keyholder, KeyRing
from api.scopes import REALTIME, SOCKET, check_scope
from shared.errors import Forbidden, Unauthorized

OPEN_PATHS: Final = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/favicon.ico"}
)
"""Paths that need no key."""
OPEN_BELOW: Final = ("/static/", "/docs/")
"""And all paths that begin so."""

_SCHEMES: Final = frozenset({"bearer", "token"})
_HEADERS: Final = ("api-key", "x-api-key")
_SUBPROTOCOL_KEYS: Final = ("openai-insecure-api-key.", "steno-api-key.")
_NAMES: Final = ("realtime", "steno")
"""Subprotocols that are offered beside one that holds a key."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a request or socket is from."""

    tenant: str
    scopes: frozenset[str]
    key: ApiKey
    claims: Claims | None = None
    """Of a short-lived key."""

    @property
    def id(self) -> str:
        """Which key it was, without the key."""
        return self.key.id


_ANYONE: Final = Caller("", ANYONE.scopes, ANYONE)
_CALLING: Final = ContextVar("caller", default=_ANYONE)


def authenticate(ring: KeyRing | None, headers: Mapping[str, str], subprotocols: Sequence[str]) -> ApiKey:
    """The key that comes with these headers (names in lower case) and subprotocols; `ANYONE` when there
    are no keys. Raises `Unauthorized`."""
    if ring is None:
        return ANYONE
    given = keys_given(headers, subprotocols)
    for key in given:
        if found := ring.owner(key):
            return found
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
    return caller_of(connection).tenant


def caller_of(connection: HTTPConnection) -> Caller:
    """Whose, and what it may be used for."""
    return getattr(connection.state, "caller", _ANYONE)


def is_operator(connection: HTTPConnection) -> bool:
    """Whether it is an operator's, who may know what the whole service does."""
    return bool(getattr(connection.state, "is_operator", False))


def client_secret_of(connection: HTTPConnection) -> Claims | None:
    """The short-lived key that a socket came with, if it did."""
    return caller_of(connection).claims


def calling() -> Caller:
    """Whose the request or socket is that this task, or one that it comes from, serves."""
    return _CALLING.get()


def needs_key(path: str) -> bool:
    """Whether a path is for those with a key only."""
    return path not in OPEN_PATHS and not path.startswith(OPEN_BELOW)


class Doorkeeper:
    """ASGI middleware: lets requests and sockets with a key in, and notes whose they are. What it refuses is
    answered with 401 or 403 in the shape of the path, WebSockets before they are accepted."""

    def __init__(self, app: ASGIApp, *, keys: Keyholder, shapes: Shapes) -> None:
        self._app = app
        self._keys = keys
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and needs_key(scope["path"]):
            connection = HTTPConnection(scope)
            offered: list[str] = scope.get("subprotocols") or []
            method = SOCKET if scope["type"] == "websocket" else scope["method"]
            try:
                caller = self._caller(connection, offered)
                check_scope(caller.scopes, method, scope["path"])
            except (Unauthorized, Forbidden) as error:
                refusal = shape_at(self._shapes, scope["path"])(fault_of(error))
                if scope["type"] == "websocket":
                    await WebSocket(scope, receive, send).send_denial_response(refusal)
                else:
                    await refusal(scope, receive, send)
                return
            connection.state.caller = caller
            _CALLING.set(caller)
            ring = self._keys.ring
            is_operators = ring is None or caller.tenant in ring.operators
            connection.state.is_operator = is_operators and caller.claims is None
        await self._app(scope, receive, send)

    def _caller(self, connection: HTTPConnection, offered: Sequence[str]) -> Caller:
        """Raises `Unauthorized` and `Forbidden`."""
        for given in keys_given(connection.headers, offered):
            claims = read(given, self._keys.signer_of, now_s=time.time())
            ring = self._keys.ring
            key = (ring.with_id(id_of(given)) if ring and claims else None) or ANYONE
            if claims is None or claims.tenant != key.tenant:
                continue
            if claims.origin and connection.headers.get("origin", "") != claims.origin:
                raise Forbidden("this key is for another page")
            # A key that lost a scope has not left it to what was made with it before.
            allowed = (key.scopes | {REALTIME}).intersection(claims.scopes)
            return Caller(key.tenant, allowed, key, claims)
        key = authenticate(self._keys.ring, connection.headers, offered)
        return Caller(key.tenant, key.scopes, key)


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
