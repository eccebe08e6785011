"""Sends webhooks: takes what is due, looks at the job, asks the receiver, writes down what it said.

It runs beside the routes of every edge, in threads of its own, so that a receiver that hangs holds back
neither requests nor other receivers.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import httpx
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from shared.errors import BadParameter, NotFound
from shared.jobs import JobRecord
from shared.outbound import pinned
from shared.redis.connection import ConnectionLost
from shared.redis.deliveries import LOOK_S, Deliveries
from shared.webhooks import (
    BACKOFF_S,
    DELIVERED,
    FAILED,
    GONE_STATUS,
    PENDING,
    WAITING,
    Attempt,
    Delivery,
    body_of,
    event_of,
    headers,
)

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.5
_AT_ONCE: Final = 16
"""Requests at once; what is due beyond that waits."""
_TIMEOUT_S: Final = 15.0
"""For each of connecting, sending, and the receiver's answer."""
_LEASE_S: Final = 4 * _TIMEOUT_S
_ATTEMPTS_KEPT: Final = 20
"""More come only by asking for redelivery."""


@dataclass(frozen=True, slots=True)
class SenderParts:
    """What the sender is made of."""

    deliveries: Deliveries
    find: Callable[[str], JobRecord]
    """The job now; raises `NotFound`."""
    key: bytes
    private: bool
    """Whether receivers may have private addresses."""


class WebhookSender:
    """One edge's share of the sending."""

    def __init__(self, parts: SenderParts) -> None:
        self._parts = parts
        self._threads = CapacityLimiter(_AT_ONCE)

    async def run_forever(self) -> None:
        """Look for deliveries that are due. What is being sent when this is cancelled is due again later."""
        async with asyncio.TaskGroup() as group:
            while True:
                taken: list[tuple[str, Delivery]] = []
                free = int(self._threads.available_tokens)
                try:
                    if free:
                        take = partial(self._parts.deliveries.take, lease_s=_LEASE_S, count=free)
                        taken = await run_sync(take, time.time())
                except ConnectionLost:
                    log.warning("Redis is out of reach")
                for job, delivery in taken:
                    group.create_task(self._handle(job, delivery))
                await asyncio.sleep(_LOOK_S)

    async def _handle(self, job: str, delivery: Delivery) -> None:
        try:
            await run_sync(self._step, job, delivery, limiter=self._threads, abandon_on_cancel=True)
        except ConnectionLost:
            log.warning("Redis is out of reach")  # its lease ends, and it is due again
        except Exception:  # a mistake over one webhook must not end the sending of all; its lease ends too
            log.exception("webhook not sent", extra={"job": job})

    def _step(self, job: str, delivery: Delivery) -> None:
        deliveries = self._parts.deliveries
        if delivery.state == WAITING:
            try:
                record = self._parts.find(job)
            except NotFound:
                deliveries.forget(job, delivery.id)
                return
            if not record.is_over:
                deliveries.keep(job, delivery, time.time() + LOOK_S)
                return
            body = body_of(record, _rfc3339(time.time()))
            delivery = replace(delivery, state=PENDING, event=event_of(record), body=body)
            deliveries.keep(job, delivery, time.time() + _LEASE_S)
        tried = _after(delivery, self._attempt(delivery))
        log.info("webhook attempted", extra={"job": job, "delivery": delivery.id, "state": tried.state})
        wait_s = BACKOFF_S[min(len(tried.attempts), len(BACKOFF_S)) - 1]
        deliveries.keep(job, tried, time.time() + wait_s if tried.state == PENDING else None)

    def _attempt(self, delivery: Delivery) -> Attempt:
        begun_s, started = time.time(), time.monotonic()
        status, error = None, None
        try:
            target = pinned(delivery.url, name="webhook_url", private=self._parts.private)
            body = delivery.body or ""
            sent = headers(self._parts.key, delivery.id, int(begun_s), body) | target.headers
            # The answer's body is not read: it may have no end.
            with (
                httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client,
                client.stream(
                    "POST", target.url, content=body, headers=sent, extensions=target.extensions
                ) as answer,
            ):
                status = answer.status_code
                error = None if answer.is_success else f"the receiver answered {status}"
        except BadParameter as refused:
            error = refused.message
        except httpx.TimeoutException:
            error = f"no answer within {_TIMEOUT_S:g} s"
        except (httpx.HTTPError, OSError) as failed:
            error = f"no answer: {type(failed).__name__}"
        took_ms = round((time.monotonic() - started) * 1000)
        return Attempt(at=_rfc3339(begun_s), took_ms=took_ms, status=status, error=error)


def _after(delivery: Delivery, attempt: Attempt) -> Delivery:
    """The delivery once that attempt was made."""
    attempts = (*delivery.attempts, attempt)[-_ATTEMPTS_KEPT:]
    if attempt.error is None:
        state = DELIVERED
    elif attempt.status == GONE_STATUS or len(attempts) > len(BACKOFF_S):
        state = FAILED
    else:
        state = PENDING
    return replace(delivery, state=state, attempts=attempts)


def _rfc3339(epoch_s: float) -> str:
    return dt.datetime.fromtimestamp(epoch_s, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
