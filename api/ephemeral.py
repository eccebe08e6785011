"""Short-lived keys for pages and apps, made by a server that has a real one. Pure.

A key holds all that it says with a signature under a secret that is made from the API key it comes from and
from `STENO_TOKEN_SECRET`: any edge that knows those can check it, nothing is stored, and it ends with that
API key. Without API keys it protects nothing, as nothing else does then, and still configures.
"""

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from shared.errors import TooLarge

PREFIX: Final = "ek_"
KEY_CHARS_MAX: Final = 4096
"""Longest key: servers and proxies bound what a header may be."""
ID_BYTES: Final = 6
_SIGNATURE_BYTES: Final = 16
_INFLATED_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Claims:
    """What a key says."""

    tenant: str
    expires_at: int
    """Seconds since 1970."""
    session: Mapping[str, Any]
    """What the sessions of OpenAI's protocol are configured with from the start."""
    scopes: tuple[str, ...] = ()
    origin: str = ""
    """The only page that may use it; empty: any."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An API key, as far as it signs. `id` tells it from others and is no secret."""

    id: bytes
    secret: bytes


NO_SIGNER: Final = Signer(bytes(ID_BYTES), b"")
"""Where there are no API keys."""


def issue(claims: Claims, signer: Signer) -> str:
    """The key that says so; it goes into a header and a WebSocket subprotocol as it is. Raises `TooLarge`."""
    fields = [claims.tenant, claims.expires_at, claims.session, claims.scopes, claims.origin]
    packed = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)
    data = signer.id + _signature(packed, signer) + packed
    key = PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")
    if len(key) > KEY_CHARS_MAX:
        raise TooLarge("the session's configuration is too long for a client secret; shorten its prompt")
    return key


def read(key: str, signer_of: Callable[[bytes], Signer | None], *, now_s: float) -> Claims | None:
    """What a key says; None for one that is not ours, or over."""
    if not key.startswith(PREFIX) or len(key) > KEY_CHARS_MAX:
        return None
    try:
        data = base64.b64decode(key.removeprefix(PREFIX) + "==", altchars=b"-_")
    except (ValueError, binascii.Error):
        return None
    signature = data[ID_BYTES : ID_BYTES + _SIGNATURE_BYTES]
    packed = data[ID_BYTES + _SIGNATURE_BYTES :]
    signer = signer_of(data[:ID_BYTES])
    if signer is None or not hmac.compare_digest(signature, _signature(packed, signer)):
        return None
    try:
        said: Any = json.loads(zlib.decompressobj().decompress(packed, _INFLATED_BYTES_MAX))
        tenant, expires_at, session, scopes, origin = cast(tuple[str, int, Any, Any, str], said)
        claims = Claims(str(tenant), int(expires_at), dict(session), tuple(map(str, scopes)), str(origin))
    except (ValueError, TypeError, zlib.error):  # without API keys anyone can sign anything
        return None
    return claims if now_s < claims.expires_at else None


def id_of(key: str) -> bytes:
    """The id of the API key that a key was made with. Only of one that was read."""
    data = key.removeprefix(PREFIX)[: ID_BYTES * 4 // 3]
    return base64.urlsafe_b64decode(data)


def _signature(packed: bytes, signer: Signer) -> bytes:
    return hmac.digest(signer.secret, b"steno client secret\0" + packed, hashlib.sha256)[:_SIGNATURE_BYTES]
