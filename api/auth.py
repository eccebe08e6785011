"""API keys: who may use the server, and as which tenant. Pure, but for the middleware at the end.

Keys are off unless the operator sets some. Then every path needs one, except those that tell nothing of
anybody's speech. A key may come in any of the ways in which clients of the surfaces here send it; only its
SHA-256 is kept, and neither it nor a subprotocol that may hold it is ever logged.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.ephemeral import Claims, read
from api.faults import Shapes, fault_of, shape_at
from shared.errors import BadParameter, Unauthorized

OPEN_PATHS: Final = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/favicon.ico"}
)
"""Paths that need no key."""
OPEN_BELOW: Final = ("/static/", "/docs/")
"""And all paths that begin so."""
EPHEMERAL_PATHS: Final = frozenset({"/v1/realtime"})
"""WebSockets that short-lived keys open, too."""

_KEY: Final = re.compile(r"[A-Za-z0-9._~+-]{8,200}")
"""What goes into a header and into a WebSocket subprotocol as it is."""
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCHEMES: Final = frozenset({"bearer", "token"})
_HEADERS: Final = ("api-key", "x-api-key")
_SUBPROTOCOL_KEYS: Final = ("openai-insecure-api-key.", "steno-api-key.")
_NAMES: Final = ("realtime", "steno")
"""Subprotocols that are offered beside one that holds a key."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept. `digest` is its SHA-256; a key without a name is of the tenant `""`, whose are
    also sessions and jobs from when there were no keys."""

    tenant: str
    digest: bytes


class KeyRing:
    """The keys that are known, and which tenants are `operators`: they see what the whole service does. When
    no key has a name there is one tenant, who is."""

    def __init__(self, keys: Iterable[ApiKey], operators: frozenset[str] = frozenset()) -> None:
        self._keys = tuple(keys)
        self.tenants = frozenset(key.tenant for key in self._keys)
        self.operators = operators if any(self.tenants) else self.tenants

    def owner(self, key: str) -> ApiKey | None:
        """The key, if it is known. Takes the same time whichever it is."""
        digest, found = _digest(key), None
        for known in self._keys:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found

    @property
    def signing_key(self) -> bytes:
        """What keys are signed with that are made from these; changes when one of them does."""
        return hashlib.sha256(b"".join(known.digest for known in self._keys)).digest()


def signing_key(ring: KeyRing | None) -> bytes:
    """The ring's; without keys it is no secret."""
    return ring.signing_key if ring else b""


def parse_keys(text: str, operators: str = "") -> KeyRing | None:
    """The keys of `STENO_API_KEYS`: `key` or `tenant:key`, with commas between; `operators` are names of
    tenants among them. None when there are none. Raises `BadParameter`, without the key in it."""
    entries, names = _listed(text), _listed(operators)
    ring = KeyRing(
        [_parse_key(entry, place) for place, entry in enumerate(entries, 1)], operators=frozenset(names)
    )
    for name in names:
        if name not in ring.tenants:
            raise BadParameter(
                f"STENO_OPERATORS: {name!r} is no name of a key; give it one in STENO_API_KEYS as {name}:KEY"
            )
    return ring if entries else None


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


def is_tenant(name: str) -> bool:
    """Whether this can be a tenant's name."""
    return bool(_TENANT.fullmatch(name))


def needs_key(path: str) -> bool:
    """Whether a path is for those with a key only."""
    return path not in OPEN_PATHS and not path.startswith(OPEN_BELOW)


class Doorkeeper:
    """ASGI middleware: lets requests and sockets with a key in, and notes whose they are. What it refuses is
    answered with 401 in the shape of the path, WebSockets before they are accepted."""

    def __init__(self, app: ASGIApp, *, ring: KeyRing | None, shapes: Shapes) -> None:
        self._app = app
        self._ring = ring
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
            connection.state.is_operator = self._ring is None or tenant in self._ring.operators
        await self._app(scope, receive, send)

    def _tenant(self, connection: HTTPConnection, offered: Sequence[str]) -> str:
        """Raises `Unauthorized`."""
        if connection.scope["type"] == "websocket" and connection.scope["path"] in EPHEMERAL_PATHS:
            for key in keys_given(connection.headers, offered):
                if claims := read(key, signing_key(self._ring), now_s=time.time()):
                    connection.state.client_secret = claims
                    return claims.tenant
        return authenticate(self._ring, connection.headers, offered)


def _listed(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _parse_key(entry: str, place: int) -> ApiKey:
    tenant, colon, key = entry.rpartition(":")
    if colon and not is_tenant(tenant):
        raise BadParameter(
            f"STENO_API_KEYS: the name of key {place} must be letters, digits, '.', '_' and '-', at most 64"
        )
    if not _KEY.fullmatch(key):
        raise BadParameter(
            f"STENO_API_KEYS: key {place} must be 8 to 200 letters, digits and '._~+-'; browsers can't send "
            "others"
        )
    return ApiKey(tenant, _digest(key))


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


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
