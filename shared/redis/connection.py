"""The only place that creates Redis clients.

Replies stay bytes. redis-py 8 gives every socket a read timeout of 5 s by default, which breaks blocking
reads; the timeout here is longer than the longest block that any caller asks for (`BLOCK_MS_MAX`), so a
read that ends by timeout is a dead connection.
"""

from typing import Final

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

AsyncRedis = redis.asyncio.Redis
SyncRedis = redis.Redis

BLOCK_MS_MAX: Final = 5_000
_SOCKET_TIMEOUT_S: Final = BLOCK_MS_MAX / 1000 + 5.0
_CONNECT_TIMEOUT_S: Final = 3.0
_RETRIES: Final = 3

RedisError = redis.RedisError
ConnectionLost = (redis.ConnectionError, redis.TimeoutError)
"""What a command raises when the server can't be reached, retries included."""


def _backoff() -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(cap=1.0, base=0.05)


def connect(url: str) -> AsyncRedis:
    """A client with a connection pool of its own; close it with `aclose`. Connects at the first command."""
    return redis.asyncio.from_url(
        url,
        decode_responses=False,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        health_check_interval=15,
        retry=AsyncRetry(_backoff(), _RETRIES),
    )


def connect_sync(url: str) -> SyncRedis:
    """The same for code without an event loop: RQ, commands and tests."""
    return redis.from_url(
        url,
        decode_responses=False,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        retry=Retry(_backoff(), _RETRIES),
    )
