"""Clients of a Redis Cluster that fail like those of a single server: what may succeed later is
`ConnectionLost`, after the same retries with the same pauses.

redis-py follows slots that move (MOVED, ASK) and looks the nodes up anew when one is lost; it does not wait
before it tries again, and some of its errors for a cluster that is being repaired are no errors of the
connection.
"""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Generator, Iterable
from typing import Any, Final

import redis
import redis.asyncio
import redis.asyncio.cluster
from redis._parsers import AsyncCommandsParser
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import ClusterDownError, ClusterError, RedisClusterException, SlotNotCoveredError
from redis.retry import Retry

from shared.errors import BadParameter
from shared.redis.address import Servers
from shared.redis.outages import RETRIES, NotNow, is_not_now, pauses

SCHEMES: Final = {"redis+cluster": False, "rediss+cluster": True}
"""And whether they mean TLS."""
_PORT: Final = 6379
_AT_ONCE: Final = 1
"""Retries on the nodes as they are found anew, before the first pause."""
_RETRIED: Final = (redis.ConnectionError, ClusterDownError, SlotNotCoveredError)
"""Not timeouts: the command would take as long again."""


def options_of(url: str) -> dict[str, Any]:
    """Options for either client. Raises `BadParameter`."""
    scheme = url.partition(":")[0]
    servers = Servers.parse(url, port=_PORT)
    if servers.path not in ("", "0"):
        raise BadParameter(f"the {scheme} address names database {servers.path!r}: a cluster has only 0")
    # All other nodes are found through those that the address names, also after they all have new addresses.
    return servers.login | {
        "hosts": servers.hosts,
        "ssl": SCHEMES[scheme],
        "dynamic_startup_nodes": False,
        "require_full_coverage": False,
        # A slot that has moved says so itself; to look all up would cut every connection.
        "reinitialize_steps": 0,
    }


@contextlib.contextmanager
def _classified() -> Generator[None]:
    try:
        yield
    except redis.ResponseError as error:
        if is_not_now(error):
            raise NotNow(str(error)) from None
        raise
    except (ClusterError, SlotNotCoveredError) as error:
        raise NotNow(str(error)) from None


class _Keys(AsyncCommandsParser):
    """Where the key stands in the commands that we use. redis-py asks a server for the table of all its
    commands each time a node was lost, and for each read of a stream besides."""

    async def initialize(self, node: Any = None) -> None:
        """Nothing to be asked."""

    async def get_keys(self, *args: Any) -> tuple[Any, ...]:
        """The first key, which stands for all: they share a slot."""
        if args[0] in ("XREAD", "XREADGROUP"):
            return (args[args.index(b"STREAMS") + 1],)
        return (args[1],)


class _Connection(redis.asyncio.Connection):
    """When a node is lost redis-py closes its idle connections, and with them one that a task has just taken:
    the task then writes to None, or into what is being closed, and neither fails like a lost connection."""

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        if self._writer is None or self._writer.is_closing():
            raise OSError("the connection was closed as it was taken into use")
        await super()._send_packed_command(command)


class _TlsConnection(_Connection, redis.asyncio.SSLConnection):
    """The same with TLS."""


class AsyncCluster(redis.asyncio.RedisCluster):
    """Made by `shared.redis.connection.connect`."""

    ERRORS_ALLOW_RETRY = _RETRIED

    def __init__(self, hosts: tuple[tuple[str, int], ...], **options: Any) -> None:
        nodes = [redis.asyncio.cluster.ClusterNode(host, port) for host, port in hosts]
        retry = AsyncRetry(NoBackoff(), _AT_ONCE)
        super().__init__(startup_nodes=nodes, retry=retry, **options)
        self.commands_parser = _Keys()
        # redis-py takes no class for connections; its nodes are made from these options, the first ones were.
        self.connection_kwargs["connection_class"] = _TlsConnection if options["ssl"] else _Connection
        for node in self.nodes_manager.startup_nodes.values():
            node.connection_class = self.connection_kwargs["connection_class"]
        names = ("username", "password", "ssl", "socket_timeout", "socket_connect_timeout")
        names += ("health_check_interval", "driver_info")
        self._own = {name: options[name] for name in names if name in options}

    async def initialize(self, *args: Any, **kwargs: Any) -> "AsyncCluster":
        """Look up who has which slots. Raises `NotNow` when no node can say."""
        try:
            await super().initialize(*args, **kwargs)
        except RedisClusterException as error:
            raise NotNow(str(error)) from None
        return self

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Raises `ConnectionLost` after some retries."""
        waits = itertools.islice(pauses(), RETRIES)
        while True:
            try:
                with _classified():
                    return await super().execute_command(*args, **kwargs)
            except redis.ConnectionError:
                if (pause_s := next(waits, None)) is None:
                    raise
                await asyncio.sleep(pause_s)

    def get_node(self, host: Any = None, port: Any = None, node_name: Any = None) -> Any:
        """redis-py takes it for granted that it knows the node that a slot is on its way to."""
        node = super().get_node(host, port, node_name)
        if node is None and node_name is not None:
            raise NotNow(f"the slot is on its way to {node_name}")
        return node

    async def owner_of(self, key: str) -> redis.asyncio.Redis:
        """A client of the node that has the key's slot now, for pub/sub. It does not retry: the slot may be
        another's by then. Raises `ConnectionLost`."""
        await self.execute_command("EXISTS", key)  # follows a slot that has moved
        node = self.get_node_from_key(key)
        assert node is not None
        retry = AsyncRetry(NoBackoff(), 0)
        return redis.asyncio.Redis(host=node.host, port=int(node.port), retry=retry, **self._own)

    async def aclose(self) -> None:
        """Close all connections, also those that redis-py forgets when it was about to look up the nodes."""
        await super().aclose()
        for nodes in ("nodes_cache", "startup_nodes"):
            await self.nodes_manager.aclose(nodes)


class _SyncCluster(redis.RedisCluster):
    ERRORS_ALLOW_RETRY = _RETRIED

    def __init__(self, hosts: tuple[tuple[str, int], ...], **options: Any) -> None:
        nodes = [ClusterNode(host, port) for host, port in hosts]
        try:
            super().__init__(startup_nodes=nodes, retry=Retry(NoBackoff(), _AT_ONCE), **options)
        except RedisClusterException as error:
            raise NotNow(str(error)) from None

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        waits = itertools.islice(pauses(), RETRIES)
        while True:
            try:
                with _classified():
                    return super().execute_command(*args, **kwargs)
            except redis.ConnectionError:
                if (pause_s := next(waits, None)) is None:
                    raise
                time.sleep(pause_s)


class LateCluster:
    """A client without an event loop that looks the nodes up at its first command, as its kin do; redis-py
    does when it is made. Used by several threads."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._client: _SyncCluster | None = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _SyncCluster(**self._options)
        return getattr(self._client, name)

    def close(self) -> None:
        """Close what was opened."""
        if self._client is not None:
            self._client.close()
