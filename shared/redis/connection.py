"""The only place that creates Redis clients.

Replies stay bytes. redis-py 8 gives every socket a read timeout of 5 s by default, which breaks blocking
reads; the timeouts here are longer than the longest block that a caller asks for, so a read that ends by
timeout is a dead connection, and not much longer, so that a cut network is noticed soon.

Addresses are `redis://`, `rediss://`, `unix://`, `redis+sentinel://[:password@]host:port,host:port/service[/db]`,
where Sentinel is asked for the primary at each new connection, and `redis+cluster://[:password@]host:port,host:port`
(`rediss+cluster://` with TLS), where the nodes that are named are asked for the others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import EqualJitterBackoff
from redis.connection import HiredisRespSerializer
from redis.driver_info import DriverInfo
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.errors import BadParameter
from shared.redis import cluster
from shared.redis.address import Servers
from shared.redis.outages import (
    PAUSE_S_FIRST,
    PAUSE_S_MAX,
    RETRIES,
    ConnectionLost,
    NotNow,
    is_not_now,
    pauses,
)

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
_CONNECTIONS_MAX: Final = 100_000
"""Not the 100 that a pool has by default: a worker has a blocking read for each of its sessions. Their number
bounds it, and the limit of open files."""
_SENTINEL: Final = "redis+sentinel"

RedisError = redis.RedisError

_PACKER: Final[Any] = HiredisRespSerializer()
_DRIVER: Final = DriverInfo()
"""What connections say that they are. Without it redis-py looks its version up in the files of the installed
packages for each connection: some milliseconds in which the event loop stands still."""


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


class _DirectWrites:
    """Mixed into redis-py's connections. Those write each command in `asyncio.wait_for`, which on Python 3.11
    is a task of its own, and swallows a cancellation that comes as the write ends. What the socket's empty
    buffer takes needs no waiting; the rest is written as redis-py does it. Commands are packed in C, as
    redis-py does it for connections without an event loop only."""

    def pack_command(self, *args: Any) -> list[bytes]:
        return _PACKER.pack(*args)

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [packed for command in commands for packed in _PACKER.pack(*command)]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        connection = cast(Any, self)
        if check_health and connection.is_connected:
            await connection.check_health()
        writer: asyncio.StreamWriter | None = connection._writer  # there is no public way to it
        if writer is None or writer.is_closing() or writer.transport.get_write_buffer_size():
            await cast(Any, super()).send_packed_command(command, check_health=check_health)
        else:
            writer.writelines([command] if isinstance(command, bytes) else command)


def _directly(client: AsyncRedis) -> AsyncRedis:
    """The client, whose connections from now on write directly."""
    pool = client.connection_pool
    pool.connection_class = type("DirectConnection", (_DirectWrites, pool.connection_class), {})
    return client


def _sentinel_clients(pool: Any) -> list[Any]:
    manager = getattr(pool, "sentinel_manager", None)
    return [] if manager is None else list(manager.sentinels)


def is_cluster(url: str) -> bool:
    """Whether the address is a Redis Cluster's. RQ can't use one."""
    return urlsplit(url).scheme in cluster.SCHEMES


def jobs_address(jobs_url: str, url: str) -> str:
    """Where RQ keeps file jobs: at `jobs_url`, or without that at `url`; empty when that is a cluster. Raises
    `BadParameter` when `jobs_url` is one."""
    if is_cluster(jobs_url):
        raise BadParameter("STENO_JOBS_REDIS_URL can't be a cluster: RQ does not speak its protocol")
    return jobs_url or ("" if is_cluster(url) else url)


def connect(url: str) -> AsyncRedis:
    """A client with a connection pool of its own; close it with `aclose`. Connects at the first command.
    Raises `BadParameter` for an address that is none."""
    if is_cluster(url):
        # It is no subclass, but has all commands that we use.
        return cast(AsyncRedis, cluster.AsyncCluster(**cluster.options_of(url), **_options(BLOCK_MS_MAX)))
    options: dict[str, Any] = _options(BLOCK_MS_MAX) | {
        "retry": AsyncRetry(_backoff(), RETRIES, (redis.ConnectionError,))
    }
    if urlsplit(url).scheme == _SENTINEL:
        sentinels, service, own = _sentinels(url)
        options |= own
        manager = AsyncSentinel(sentinels, **_options(0))
        return _directly(manager.master_for(service, redis_class=_AsyncClient, **options))
    return _directly(_AsyncClient.from_url(url, **options))


def connect_sync(url: str) -> SyncRedis:
    """The same for code without an event loop: RQ, commands and tests."""
    if is_cluster(url):
        return cast(SyncRedis, cluster.LateCluster(**cluster.options_of(url), **_options(SYNC_BLOCK_MS_MAX)))
    options: dict[str, Any] = _options(SYNC_BLOCK_MS_MAX) | {
        "retry": Retry(_backoff(), RETRIES, (redis.ConnectionError,))
    }
    if urlsplit(url).scheme == _SENTINEL:
        sentinels, service, own = _sentinels(url)
        options |= own
        return Sentinel(sentinels, **_options(0)).master_for(service, redis_class=_SyncClient, **options)
    return _SyncClient.from_url(url, **options)


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
        "max_connections": _CONNECTIONS_MAX,
        "driver_info": _DRIVER,
    }


def _backoff() -> EqualJitterBackoff:
    return EqualJitterBackoff(cap=PAUSE_S_MAX, base=PAUSE_S_FIRST)


def _sentinels(url: str) -> tuple[tuple[tuple[str, int], ...], str, dict[str, Any]]:
    """Addresses, service name, and options of connections to the primary."""
    servers = Servers.parse(url, port=26379)
    service, _, db = servers.path.partition("/")
    if not service or not (db or "0").isdecimal():
        raise BadParameter("a Sentinel address is redis+sentinel://host:port,host:port/service[/db]")
    return servers.hosts, service, servers.login | {"db": int(db or 0)}
