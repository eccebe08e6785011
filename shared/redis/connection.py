"""The only place that creates Redis clients, and that says which errors mean 'out of reach, try again'.

Replies stay bytes. redis-py 8 gives every socket a read timeout of 5 s by default, which breaks blocking
reads; the timeouts here are longer than the longest block that a caller asks for, so a read that ends by
timeout is a dead connection, and not much longer, so that a cut network is noticed soon.

Addresses are `redis://`, `rediss://`, `unix://`, and `redis+sentinel://[:password@]host:port,host:port/service[/db]`,
where Sentinel is asked for the primary at each new connection.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import EqualJitterBackoff
from redis.exceptions import ClusterDownError, MasterDownError, TryAgainError
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.errors import BadParameter

log = logging.getLogger(__name__)

AsyncRedis = redis.asyncio.Redis
SyncRedis = redis.Redis

BLOCK_MS_MAX: Final = 1_000
"""Longest block on a client of an event loop."""
SYNC_BLOCK_MS_MAX: Final = 5_000
"""The same without one; RQ waits this long for work."""
_ANSWER_S: Final = 4.0
"""What an answer may take beside the block: a slow command of someone else, a fork, a busy machine. Then
the connection counts as dead, and the command is not tried again here: it would take as long again."""
_CONNECT_S: Final = 2.0
_RETRIES: Final = 5
"""With the pauses between them a server may be away for 1.2 s at least and not be noticed: the time of a
restart. redis-py tries to connect as often within each attempt, so 15 s may pass before `ConnectionLost`."""
_PAUSE_S_FIRST: Final = 0.1
_PAUSE_S_MAX: Final = 1.0
_SENTINEL: Final = "redis+sentinel"

RedisError = redis.RedisError


class NotNow(redis.ConnectionError):
    """The server answers, but can't do this now: it is a replica since a failover, out of memory, out of
    disk, or busy with a script. A child of redis-py's `ConnectionError`, so that redis-py connects anew,
    which is what finds the new primary, and tries again."""


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


class _AsyncClient(redis.asyncio.Redis):
    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        try:
            return await super().parse_response(connection, command_name, **options)
        except redis.ResponseError as error:
            if is_not_now(error):
                raise NotNow(str(error)) from None
            raise

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        for sentinel in _sentinel_clients(self.connection_pool):  # redis-py leaves these open
            await sentinel.aclose()


class _SyncClient(redis.Redis):
    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        try:
            return super().parse_response(connection, command_name, **options)
        except redis.ResponseError as error:
            if is_not_now(error):
                raise NotNow(str(error)) from None
            raise

    def close(self) -> None:
        super().close()
        for sentinel in _sentinel_clients(self.connection_pool):
            sentinel.close()


def _sentinel_clients(pool: Any) -> list[Any]:
    manager = getattr(pool, "sentinel_manager", None)
    return [] if manager is None else list(manager.sentinels)


def connect(url: str) -> AsyncRedis:
    """A client with a connection pool of its own; close it with `aclose`. Connects at the first command.
    Raises `BadParameter` for an address that is none."""
    options: dict[str, Any] = _options(BLOCK_MS_MAX) | {
        "retry": AsyncRetry(_backoff(), _RETRIES, (redis.ConnectionError,))
    }
    if urlsplit(url).scheme == _SENTINEL:
        sentinels, service, own = _sentinels(url)
        options |= own
        return AsyncSentinel(sentinels, **_options(0)).master_for(
            service, redis_class=_AsyncClient, **options
        )
    return _AsyncClient.from_url(url, **options)


def connect_sync(url: str) -> SyncRedis:
    """The same for code without an event loop: RQ, commands and tests."""
    options: dict[str, Any] = _options(SYNC_BLOCK_MS_MAX) | {
        "retry": Retry(_backoff(), _RETRIES, (redis.ConnectionError,))
    }
    if urlsplit(url).scheme == _SENTINEL:
        sentinels, service, own = _sentinels(url)
        options |= own
        return Sentinel(sentinels, **_options(0)).master_for(service, redis_class=_SyncClient, **options)
    return _SyncClient.from_url(url, **options)


def pauses() -> Iterator[float]:
    """Seconds between attempts to reach the server: doubling, and each process with its own jitter, so that a
    server that comes back is not met by all at once."""
    pause_s = _PAUSE_S_FIRST
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(_PAUSE_S_MAX, pause_s * 2)


T = TypeVar("T")


async def through_outages(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call, which must be idempotent, until it does not raise `ConnectionLost`."""
    waits = pauses()
    while True:
        try:
            return await call()
        except ConnectionLost as error:
            # The text is the server's or the system's: no value that was sent is in it.
            log.warning("Redis is out of reach: %s", error)
            await asyncio.sleep(next(waits))


def _options(block_ms: int) -> dict[str, Any]:
    return {
        "decode_responses": False,
        "socket_timeout": block_ms / 1000 + _ANSWER_S,
        "socket_connect_timeout": _CONNECT_S,
        "health_check_interval": 15,
    }


def _backoff() -> EqualJitterBackoff:
    return EqualJitterBackoff(cap=_PAUSE_S_MAX, base=_PAUSE_S_FIRST)


def _sentinels(url: str) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Addresses, service name, and options of connections to the primary."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    try:
        sentinels = [
            (host, int(port or 26379))
            for host, _, port in (h.rpartition(":") if ":" in h else (h, "", "") for h in hosts.split(","))
        ]
        own: dict[str, Any] = {"db": int(db or 0)}
    except ValueError:
        raise BadParameter(
            "STENO_REDIS_URL: a port or database number of the Sentinel address is no number"
        ) from None
    if not service or not all(host for host, _ in sentinels):
        raise BadParameter(
            "STENO_REDIS_URL: a Sentinel address is redis+sentinel://host:port,host:port/service"
        )
    user, _, password = login.partition(":")
    own |= {name: unquote(value) for name, value in (("username", user), ("password", password)) if value}
    return sentinels, service, own
