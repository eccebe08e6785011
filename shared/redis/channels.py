"""Pub/sub connections: one to a single server, which redis-py subscribes again after a loss; in a cluster
one for each shard, to the node that has its slot.

In a cluster announcements are sharded (`SPUBLISH`): they stay with the nodes of their slot, so more nodes
carry more of them. redis-py's own sharded subscriptions ask one node after the other for news and wait at
each; here every shard has its reader.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, cast

from redis.asyncio.client import PubSub
from redis.exceptions import ResponseError

from shared.redis.cluster import AsyncCluster
from shared.redis.connection import AsyncRedis, ConnectionLost
from shared.redis.keys import Keys
from shared.redis.outages import NotNow

_READ_S: Final = 1.0

Announced = tuple[bytes, bytes]
"""A channel, and what was said there."""


class Missed(Exception):
    """The connection is new: what was announced before it is lost."""


class Channels(Protocol):
    """Channels that are heard over one connection. Only one task may call `next`."""

    async def subscribe(self, channel: bytes) -> None:
        """Hear this channel, too. Raises `ConnectionLost`."""
        ...

    async def unsubscribe(self, channel: bytes) -> None:
        """Hear it no more. Raises `ConnectionLost`."""
        ...

    async def next(self) -> Announced | None:
        """What comes next; None after a while without news. Raises `ConnectionLost` and `Missed`."""
        ...

    async def aclose(self) -> None:
        """Disconnect."""
        ...


def channels_of(client: AsyncRedis, keys: Keys) -> Sequence[Channels]:
    """One for each shard, or one that all shards share: then the sequence is shorter than `keys.shards`."""
    if isinstance(client, AsyncCluster):
        return [_ShardChannels(client, keys.queue(shard)) for shard in range(keys.shards)]
    return [_ServerChannels(client)]


class _ServerChannels:
    def __init__(self, client: AsyncRedis) -> None:
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)
        self._subscribed = asyncio.Event()

    async def subscribe(self, channel: bytes) -> None:
        await self._pubsub.subscribe(channel)
        self._subscribed.set()

    async def unsubscribe(self, channel: bytes) -> None:
        await self._pubsub.unsubscribe(channel)

    async def next(self) -> Announced | None:
        await self._subscribed.wait()
        if not self._pubsub.subscribed:
            self._subscribed.clear()
            return None
        message = cast(dict[str, Any] | None, await self._pubsub.get_message(timeout=_READ_S))
        if message is None or message["type"] != "message":
            return None
        return message["channel"], message["data"]

    async def aclose(self) -> None:
        await self._pubsub.aclose()


class _Subscriptions(PubSub):
    """Does not connect again by itself: reader and writer would do it at the same time, on one connection,
    and nobody would know that something was missed."""

    async def _reconnect(
        self,
        conn: Any,
        error: BaseException | None = None,
        failure_count: int | None = None,
        start_time: float | None = None,
        command_name: str | None = None,
    ) -> None:
        if error is not None:
            raise error


class _ShardChannels:
    """Connects, and connects anew, in `next`; also when the slot goes to another node, which the old one
    says by ending subscriptions, or by refusing new ones."""

    def __init__(self, cluster: AsyncCluster, key: str) -> None:
        """`key` is any of the shard."""
        self._cluster = cluster
        self._key = key
        self._wanted: set[bytes] = set()
        self._subscribed = asyncio.Event()
        self._node: AsyncRedis | None = None
        self._pubsub: PubSub | None = None
        self._lock = asyncio.Lock()
        """Held while something is sent, connected or closed: redis-py's pub/sub is one task's at a time."""

    async def subscribe(self, channel: bytes) -> None:
        self._wanted.add(channel)
        self._subscribed.set()
        await self._send(lambda pubsub: pubsub.ssubscribe(channel))

    async def unsubscribe(self, channel: bytes) -> None:
        self._wanted.discard(channel)
        if not self._wanted:
            self._subscribed.clear()
        await self._send(lambda pubsub: cast(Awaitable[Any], pubsub.sunsubscribe(channel)))

    async def _send(self, command: Callable[[PubSub], Awaitable[Any]]) -> None:
        """Without a connection there is nothing to do: the next one begins with all that is wanted."""
        async with self._lock:
            try:
                if self._pubsub is not None:
                    await command(self._pubsub)
            except ConnectionLost:
                await self._drop()

    async def next(self) -> Announced | None:
        await self._subscribed.wait()
        try:
            if self._pubsub is None:
                await self._connect()
                raise Missed
            return await self._read(self._pubsub)
        except RuntimeError:
            # What redis-py says of a connection that is not there: a writer lost it while this waited, or
            # nothing was wanted any more when it was to be made.
            await self.aclose()
            return None
        except ConnectionLost:
            await self.aclose()
            raise
        except ResponseError as error:  # the slot is another node's
            await self.aclose()
            raise NotNow(str(error)) from None

    async def _connect(self) -> None:
        node = await self._cluster.owner_of(self._key)
        async with self._lock:
            self._node, self._pubsub = node, _Subscriptions(node.connection_pool)
            if self._wanted:
                await self._pubsub.ssubscribe(*self._wanted)

    async def _read(self, pubsub: PubSub) -> Announced | None:
        message = cast(dict[str, Any] | None, await pubsub.get_message(timeout=_READ_S))
        if message is None:
            return None
        if message["type"] == "sunsubscribe" and message["channel"] in self._wanted:
            raise NotNow("the slot went to another node")
        return (message["channel"], message["data"]) if message["type"] == "smessage" else None

    async def aclose(self) -> None:
        async with self._lock:
            await self._drop()

    async def _drop(self) -> None:
        pubsub, node = self._pubsub, self._node
        self._pubsub = self._node = None
        with contextlib.suppress(*ConnectionLost):
            if pubsub is not None:
                await pubsub.aclose()
            if node is not None:
                await node.aclose()
