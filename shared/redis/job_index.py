"""Which file jobs there are, newest first, and what idempotency keys stand for. RQ knows jobs by their state
only."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self, cast

from redis import WatchError

from shared.codec import CodecError, pack, unpack
from shared.errors import BadParameter
from shared.redis.connection import SyncRedis
from shared.redis.keys import JOBS, Keys

_TIES = 16
"""Jobs of the same microsecond that a page is looked through for."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a job stands in the list. A page goes on below the place of the last job of the one before."""

    created_us: int
    """Microseconds of the Unix epoch."""
    job: str

    def __str__(self) -> str:
        return f"{self.created_us}-{self.job}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Inverse of `str`. Raises `BadParameter`."""
        created, _, job = text.partition("-")
        if not (created.isascii() and created.isdigit() and len(created) < 17 and job.isalnum()):
            raise BadParameter("cursor must be the next_cursor of the page before")
        return cls(int(created), job)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOwner:
    """The job that an idempotency key stands for, and a digest of what was asked for with it."""

    job: str
    digest: str


class JobIndex:
    """Blocking, like all that edge and job worker do with jobs."""

    def __init__(self, client: SyncRedis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def add(self, place: Place) -> None:
        """List a job."""
        self._client.zadd(JOBS, {place.job: place.created_us})

    def remove(self, jobs: Iterable[str]) -> None:
        """List these jobs no more."""
        if gone := list(jobs):
            self._client.zrem(JOBS, *gone)

    def below(self, place: Place | None, count: int) -> list[Place]:
        """The next `count` jobs, newest first; from the newest when `place` is None."""
        highest = "+inf" if place is None else place.created_us
        rows = cast(
            Any, self._client.zrevrangebyscore(JOBS, highest, "-inf", 0, count + _TIES, withscores=True)
        )
        places = [Place(int(score), job.decode()) for job, score in rows]
        return sorted((p for p in places if place is None or p < place), reverse=True)[:count]

    def oldest(self, count: int) -> list[str]:
        """The jobs that were listed first."""
        return [job.decode() for job in cast(list[bytes], self._client.zrange(JOBS, 0, count - 1))]

    def claim_key(self, key: str, owner: KeyOwner, ttl_s: int) -> KeyOwner:
        """Let the key stand for `owner` unless it stands for another job; returns whom it stands for."""
        name, packed = self._name(key), pack(owner)
        # Without the answer of `SET … GET`, which older servers refuse together with NX.
        if self._client.set(name, packed, nx=True, ex=ttl_s):
            return owner
        return self.owner_of(key) or owner

    def owner_of(self, key: str) -> KeyOwner | None:
        """Whom the key stands for."""
        packed = cast(bytes | None, self._client.get(self._name(key)))
        try:
            return None if packed is None else unpack(KeyOwner, packed)
        except CodecError:
            return None

    def free_key(self, key: str, owner: KeyOwner) -> None:
        """Let the key stand for nothing, if it still stands for `owner`."""
        name = self._name(key)
        with self._client.pipeline() as pipe:
            pipe.watch(name)
            if cast(Any, pipe.get(name)) != pack(owner):
                return
            pipe.multi()
            pipe.delete(name)
            try:
                pipe.execute()
            except WatchError:  # another was quicker
                return

    def forget_key(self, digest: str) -> None:
        """Let the key of that digest stand for nothing."""
        self._client.delete(self._keys.job_key(digest))

    def _name(self, key: str) -> str:
        return self._keys.job_key(key_digest(key))


def key_digest(key: str) -> str:
    """What an idempotency key is kept as."""
    return hashlib.sha256(key.encode()).hexdigest()
