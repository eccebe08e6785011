"""Webhooks that are on their way: when each is due, and its log.

A delivery is taken by moving its due time behind a lease, so that one whose sender died is due again: it is
made at least once, with the same id.
"""

from typing import Any, Final, cast

from redis import WatchError

from shared.codec import CodecError, pack, unpack
from shared.redis.connection import SyncRedis
from shared.redis.keys import WEBHOOKS, Keys
from shared.webhooks import Delivery

LOOK_S: Final = 30.0
"""Between two looks at a job that has not told of its end: its process may have died."""


class Deliveries:
    """Blocking, as all that deals with jobs. Times are seconds of the Unix epoch."""

    def __init__(self, client: SyncRedis, keys: Keys, *, ttl_s: int) -> None:
        self._client = client
        self._keys = keys
        self._ttl_s = ttl_s

    def keep(self, job: str, delivery: Delivery, due_s: float | None) -> None:
        """Write a delivery down and when it is due; None when it is over."""
        name = self._keys.job(job).deliveries
        with self._client.pipeline() as pipe:
            pipe.hset(name, delivery.id, cast(Any, pack(delivery)))
            # Longer than the last attempt may be away.
            pipe.expire(name, self._ttl_s)
            if due_s is None:
                pipe.zrem(WEBHOOKS, f"{job}:{delivery.id}")
            else:
                pipe.zadd(WEBHOOKS, {f"{job}:{delivery.id}": due_s})
            pipe.execute()

    def forget(self, job: str, delivery_id: str) -> None:
        """Take it off the list: there is nothing to tell any more."""
        self._client.zrem(WEBHOOKS, f"{job}:{delivery_id}")

    def erase(self, job: str) -> None:
        """Forget all deliveries of a job, and their logs."""
        name = self._keys.job(job).deliveries
        for delivery in cast(list[bytes], self._client.hkeys(name)):
            self.forget(job, delivery.decode())
        self._client.delete(name)

    def of(self, job: str) -> list[Delivery]:
        """All deliveries of a job."""
        rows = cast(dict[bytes, bytes], self._client.hgetall(self._keys.job(job).deliveries))
        found: list[Delivery] = []
        for packed in rows.values():
            try:
                found.append(unpack(Delivery, packed))
            except CodecError:  # of another version
                continue
        return sorted(found, key=lambda delivery: delivery.id)

    def nudge(self, job: str, now_s: float) -> None:
        """The job has ended: what waits for that is due."""
        for name in cast(list[bytes], self._client.hkeys(self._keys.job(job).deliveries)):
            self._client.zadd(WEBHOOKS, {f"{job}:{name.decode()}": now_s}, xx=True, lt=True)

    def take(self, now_s: float, *, lease_s: float, count: int) -> list[tuple[str, Delivery]]:
        """Up to `count` deliveries that are due, with their jobs. Nobody else gets them within `lease_s`."""
        with self._client.pipeline() as pipe:
            pipe.watch(WEBHOOKS)
            due = cast(list[bytes], pipe.zrangebyscore(WEBHOOKS, "-inf", now_s, 0, count))
            if not due:
                return []
            pipe.multi()
            pipe.zadd(WEBHOOKS, dict.fromkeys(due, now_s + lease_s))
            try:
                pipe.execute()
            except WatchError:  # somebody else was at it; the next look is soon
                return []
        return [taken for member in due if (taken := self._read(member.decode()))]

    def _read(self, member: str) -> tuple[str, Delivery] | None:
        job, _, delivery_id = member.partition(":")
        packed = cast(bytes | None, self._client.hget(self._keys.job(job).deliveries, delivery_id))
        try:
            if packed is not None:
                return job, unpack(Delivery, packed)
        except CodecError:
            pass
        self._client.zrem(WEBHOOKS, member)
        return None
