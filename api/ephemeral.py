"""Short-lived keys for pages and apps, made by a server that has a real one. Pure.

A key holds all that it says (whose it is, until when, and how its sessions are configured) with a signature
under a key that is made from the API keys: any edge that knows those can check it, nothing is stored, and
it ends with them. Without API keys it protects nothing, as nothing else does then, and still configures.
"""

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from shared.errors import TooLarge

PREFIX: Final = "ek_"
KEY_CHARS_MAX: Final = 4096
"""Longest key: servers and proxies bound what a header may be."""
_SIGNATURE_BYTES: Final = 16
_INFLATED_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Claims:
    """What a key says. `expires_at` is in seconds since 1970, `session` what its sessions are configured with
    from the start."""

    tenant: str
    expires_at: int
    session: Mapping[str, Any]


def issue(claims: Claims, signing_key: bytes) -> str:
    """The key that says so; it goes into a header and a WebSocket subprotocol as it is. Raises `TooLarge`."""
    said = json.dumps([claims.tenant, claims.expires_at, claims.session], separators=(",", ":"))
    packed = zlib.compress(said.encode(), 9)
    key = PREFIX + _text(_signature(packed, signing_key) + packed)
    if len(key) > KEY_CHARS_MAX:
        raise TooLarge("the session's configuration is too long for a client secret; shorten its prompt")
    return key


def read(key: str, signing_key: bytes, *, now_s: float) -> Claims | None:
    """What a key says; None for one that is not ours, or over."""
    if not key.startswith(PREFIX) or len(key) > KEY_CHARS_MAX:
        return None
    try:
        data = base64.b64decode(key.removeprefix(PREFIX) + "==", altchars=b"-_")
    except (ValueError, binascii.Error):
        return None
    signature, packed = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(packed, signing_key)):
        return None
    try:
        said: Any = json.loads(zlib.decompressobj().decompress(packed, _INFLATED_BYTES_MAX))
        tenant, expires_at, session = cast(tuple[str, int, dict[str, Any]], said)
        claims = Claims(str(tenant), int(expires_at), dict(session))
    except (ValueError, TypeError, zlib.error):  # without API keys anyone can sign anything
        return None
    return claims if now_s < claims.expires_at else None


def _signature(packed: bytes, signing_key: bytes) -> bytes:
    return hmac.digest(signing_key, b"steno client secret\0" + packed, hashlib.sha256)[:_SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
