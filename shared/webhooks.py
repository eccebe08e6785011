"""Webhooks as Standard Webhooks describes them: what is signed, what is sent, the log of a delivery. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the signature is
HMAC-SHA256 over `ID.TIMESTAMP.BODY`, its key the bytes that stand in base64 behind `whsec_`.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final

from shared.codec import to_map
from shared.errors import BadParameter
from shared.jobs import JobRecord

BACKOFF_S: Final = (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600)
"""Between an attempt that failed and the next; after the last one the delivery has failed."""
GONE_STATUS: Final = 410
"""The receiver wants no more of them."""

WAITING: Final = "waiting"
PENDING: Final = "pending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to the receiver."""

    at: str
    """RFC 3339, UTC."""
    took_ms: int
    status: int | None = None
    """HTTP status, if there was an answer."""
    error: str | None = None
    """Why it was none, or none that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook on its way, and what became of it."""

    id: str
    """The same in every attempt, so that a receiver knows what it has."""
    url: str
    state: str = WAITING
    """`waiting` for the job's end, `pending` the next attempt, `delivered` or `failed`."""
    event: str | None = None
    """`job.finished`, `job.failed` or `job.cancelled`."""
    body: str | None = None
    attempts: tuple[Attempt, ...] = ()


def check_secret(secret: str) -> bytes:
    """The signing key in `STENO_WEBHOOK_SECRET`. Raises `BadParameter`."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise BadParameter("STENO_WEBHOOK_SECRET must be whsec_ and base64 of 24 to 64 random bytes")
    return key


def event_of(record: JobRecord) -> str:
    """The event that a job's end is."""
    return f"job.{record.status}"


def body_of(record: JobRecord, now: str) -> str:
    """What is sent: the job as `GET /v1/jobs/{id}` shows it, never its text."""
    return json.dumps({"type": event_of(record), "timestamp": now, "data": to_map(record)})


def headers(key: bytes, delivery_id: str, timestamp_s: int, body: str) -> dict[str, str]:
    """The headers of a request; `timestamp_s` is its time in the Unix epoch."""
    signed = hmac.new(key, f"{delivery_id}.{timestamp_s}.{body}".encode(), hashlib.sha256).digest()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
        "content-type": "application/json",
    }
