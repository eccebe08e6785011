"""Which errors of Redis mean 'not now, try again', and how long to wait before it."""

import random
from collections.abc import Iterator
from typing import Final

import redis
from redis.exceptions import ClusterDownError, MasterDownError, TryAgainError

RETRIES: Final = 5
"""With the pauses between them a server may be away for 1.2 s at least and not be noticed: the time of a
restart. redis-py tries to connect as often within each attempt, so 15 s may pass before `ConnectionLost`."""
PAUSE_S_FIRST: Final = 0.1
PAUSE_S_MAX: Final = 1.0


class NotNow(redis.ConnectionError):
    """The server answers, but can't do this now: it is a replica since a failover, out of memory, out of
    disk, or busy with a script; or a cluster has nobody who could. A child of redis-py's `ConnectionError`,
    so that redis-py connects anew, which is what finds the new primary, and tries again."""


ConnectionLost = (redis.ConnectionError, redis.TimeoutError)
"""What a command raises when it may succeed later, retries included: no connection, no answer, `NotNow`.
Whatever else a server refuses is a fault of ours, and is not tried again."""

_NOT_NOW: Final = (
    redis.ReadOnlyError,
    redis.OutOfMemoryError,
    MasterDownError,
    ClusterDownError,
    TryAgainError,
)
_NOT_NOW_WORDS: Final = (
    "READONLY",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "BUSY ",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "UNBLOCKED",
)
"""First words of refusals that redis-py has no class for, or that come out of a script."""


def is_not_now(error: redis.ResponseError) -> bool:
    """Whether a refusal is the server's state of the moment and not what was asked."""
    return isinstance(error, _NOT_NOW) or str(error).startswith(_NOT_NOW_WORDS)


def pauses() -> Iterator[float]:
    """Seconds between attempts to reach the server: doubling, and each process with its own jitter, so that a
    server that comes back is not met by all at once."""
    pause_s = PAUSE_S_FIRST
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(PAUSE_S_MAX, pause_s * 2)
