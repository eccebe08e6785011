"""One pub/sub connection per process, shared by all sessions that are followed there.

Pub/sub forgets: what was announced while the connection was down is lost. Numbers have no gaps, so a
follower sees that it missed something, and reads it from the session's log (`SessionLog.events_after`);
partials are not logged and need not be.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator
from typing import Any, Final, cast

from shared.codec import CodecError, unpack_event
from shared.redis.connection import AsyncRedis, ConnectionLost
from shared.redis.keys import Keys
from shared.redis.sessions import Numbered

log = logging.getLogger(__name__)

_CONNECTION: Final = b"connection"
"""What stands in the place of an event's number when a connection took the session."""
FOLLOWER_EVENTS_MAX: Final = 256
"""Events that wait for a slow follower. Beyond this the oldest go: it reads logged ones from the log, and
partials are replaced anyway."""


class Follower:
    """The announced events of one session, newest kept."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Numbered | None] = asyncio.Queue(FOLLOWER_EVENTS_MAX)
        self.connection = 0
        """Number of the newest connection of the session, as far as it was announced."""

    def offer(self, item: Numbered | None) -> None:
        """Put an event; None says that events may have been missed."""
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(item)

    async def next(self, timeout_s: float) -> Numbered | None:
        """The next event; None when `timeout_s` passed or events may have been missed: time to look into
        the log."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._events.get()
        except TimeoutError:
            return None


class LiveFeed:
    """Dispatches announced events to followers. Run `run_forever` as a task."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)
        self._keys = keys
        self._followers: dict[bytes, set[Follower]] = {}
        self._subscribed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def follow(self, session: str) -> AsyncGenerator[Follower]:
        """Follow a session. Begin before it is opened, or read its log afterwards, and nothing is missed."""
        channel = self._keys.session(session).live.encode()
        follower = Follower()
        self._followers.setdefault(channel, set()).add(follower)
        try:
            await self._pubsub.subscribe(channel)
            self._subscribed.set()
            yield follower
        finally:
            others = self._followers[channel]
            others.remove(follower)
            if not others:  # a connection of the session that took over from this one may be here too
                del self._followers[channel]
                with contextlib.suppress(*ConnectionLost):
                    await self._pubsub.unsubscribe(channel)

    async def run_forever(self) -> None:
        """Read announcements until cancelled; through reconnects, which redis-py follows by subscribing
        again."""
        try:
            while True:
                await self._subscribed.wait()
                try:
                    await self._dispatch_one()
                except ConnectionLost:
                    log.warning("pub/sub connection lost")
                    for follower in itertools.chain.from_iterable(self._followers.values()):
                        follower.offer(None)
                    await asyncio.sleep(0.2)
        finally:
            await self._pubsub.aclose()

    async def _dispatch_one(self) -> None:
        if not self._pubsub.subscribed:
            self._subscribed.clear()
            return
        message = cast(dict[str, Any] | None, await self._pubsub.get_message(timeout=1.0))
        if message is None or message["type"] != "message":
            return
        followers = self._followers.get(message["channel"], ())
        head, _, payload = message["data"].partition(b":")
        try:
            item = None if head == _CONNECTION else (int(head), unpack_event(payload))
        except CodecError as error:
            log.error("unreadable event on a live channel: %s", error)
            return
        for follower in followers:
            if item is None:
                follower.connection = int(payload)
            follower.offer(item)
