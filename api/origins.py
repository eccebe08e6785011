"""Which web pages may speak to the edge. Browsers send no key by themselves, so that one that came with a key
was sent by whom it belongs to; without keys a page from anywhere could use the edge of whoever looks at it.
A page that is let in may read its answers, too (CORS), wherever it is from.

Programs send no `Origin`, and are not asked for one.
"""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.auth import needs_key
from api.faults import Shapes, fault_of, shape_at
from api.keys import Keyholder
from shared.errors import BadParameter, Forbidden

ANY: Final = "*"
_METHODS: Final = ("GET", "POST", "DELETE")
_READABLE: Final = ("Location", "Retry-After", "steno-ignored")
"""Headers of answers that a page of another origin may read, beside those that it always may."""


@dataclass(frozen=True, slots=True)
class Origins:
    """What pages are let in. Without `allowed`, those of the edge itself, and with keys all."""

    allowed: frozenset[str]
    is_local: bool
    """Whether the edge listens for this machine only, where names that lead to it are somebody's trick (DNS
    rebinding)."""

    def check(self, headers: Mapping[str, str], *, has_keys: bool) -> None:
        """Raises `Forbidden`."""
        origin, host = headers.get("origin", ""), headers.get("host", "")
        if ANY in self.allowed or origin in self.allowed:
            return
        if self.is_local and not has_keys and not _is_own_name(host, self.allowed):
            raise Forbidden(
                f"this server has no keys and is asked for as {host[:100]!r}; let that name in with "
                "STENO_ORIGINS"
            )
        if not origin or urlsplit(origin).netloc == host:
            return
        if self.allowed or not has_keys:
            raise Forbidden("this page may not speak to this server; let it in with STENO_ORIGINS")


def parse_origins(text: str, *, is_local: bool) -> Origins:
    """`STENO_ORIGINS`: `scheme://host[:port]` with commas between, or `*`. Raises `BadParameter`."""
    entries = [entry.strip().rstrip("/") for entry in text.split(",") if entry.strip()]
    for entry in entries:
        parts = urlsplit(entry)
        if entry != ANY and not (
            parts.scheme and parts.netloc and entry == f"{parts.scheme}://{parts.netloc}"
        ):
            raise BadParameter(
                "STENO_ORIGINS must be scheme://host or scheme://host:port, with commas between; or *"
            )
    return Origins(frozenset(entries), is_local)


class OriginCheck:
    """ASGI middleware: refuses pages with 403 in the shape of the path, WebSockets before they are accepted.
    Answers to others carry CORS headers, and their preflights are answered here: these come without a key."""

    def __init__(self, app: ASGIApp, *, origins: Origins, keys: Keyholder, shapes: Shapes) -> None:
        self._app = app
        # Who comes here was let in. Cookies are not used, and any header may be sent: keys have several.
        self._readable = CORSMiddleware(
            app,
            allow_origin_regex=".*",
            allow_methods=_METHODS,
            allow_headers=("*",),
            expose_headers=_READABLE,
        )
        self._origins = origins
        self._keys = keys
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and needs_key(scope["path"]):
            try:
                self._origins.check(Headers(scope=scope), has_keys=self._keys.ring is not None)
            except Forbidden as error:
                refusal = shape_at(self._shapes, scope["path"])(fault_of(error))
                if scope["type"] == "websocket":
                    await WebSocket(scope, receive, send).send_denial_response(refusal)
                else:
                    await refusal(scope, receive, send)
                return
            await self._readable(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_own_name(host: str, allowed: Collection[str]) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if not name or name == "localhost" or name.endswith(".localhost"):
        return True
    if any(urlsplit(origin).hostname == name for origin in allowed):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
