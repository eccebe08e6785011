"""The announcements of all sessions that a process follows, over pub/sub connections that they share.

Pub/sub forgets: what was announced while the connection was down is lost. Numbers have no gaps, so a
follower sees that it missed something, and reads it from the session's log (`SessionLog.events_after`);
partials are not logged and need not be.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Final, NoReturn

from shared.codec import CodecError, unpack_event
from shared.redis.channels import Announced, Channels, Missed, channels_of
from shared.redis.connection import AsyncRedis, ConnectionLost
from shared.redis.keys import Keys
from shared.redis.sessions import Numbered
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

_CONNECTION: Final = b"connection"
"""What stands in the place of an event's number when a connection took the session."""
FOLLOWER_EVENTS_MAX: Final = 256
"""Events that wait for a slow follower. Beyond this the oldest go: it reads logged ones from the log, and
partials are replaced anyway."""


_RECONNECT_S: Final = 0.2


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
        self._keys = keys
        self._channels = channels_of(client, keys)
        self._followers: dict[Channels, dict[bytes, set[Follower]]] = {c: {} for c in self._channels}

    @contextlib.asynccontextmanager
    async def follow(self, session: str) -> AsyncGenerator[Follower]:
        """Follow a session. Begin before it is opened, or read its log afterwards, and nothing is missed."""
        name = self._keys.session(session).live.encode()
        channels = self._channels[self._keys.shard(session) % len(self._channels)]
        followers = self._followers[channels]
        follower = Follower()
        followers.setdefault(name, set()).add(follower)
        try:
            await channels.subscribe(name)
            yield follower
        finally:
            others = followers[name]
            others.remove(follower)
            if not others:  # a connection of the session that took over from this one may be here too
                del followers[name]
                with contextlib.suppress(*ConnectionLost):
                    await channels.unsubscribe(name)

    async def run_forever(self) -> None:
        """Read announcements until cancelled, through reconnects."""
        readers = [
            asyncio.create_task(self._read_forever(channels), name=f"live-feed-{n}")
            for n, channels in enumerate(self._channels)
        ]
        try:
            await asyncio.gather(*readers)
        finally:
            await end_tasks(readers)
            for channels in self._channels:
                await channels.aclose()

    async def _read_forever(self, channels: Channels) -> NoReturn:
        while True:
            try:
                if (announced := await channels.next()) is not None:
                    self._dispatch(announced, self._followers[channels])
            except Missed:
                self._tell_missed(channels)
            except ConnectionLost as error:
                log.warning("pub/sub connection lost: %s", error)
                self._tell_missed(channels)
                await asyncio.sleep(_RECONNECT_S)

    def _tell_missed(self, channels: Channels) -> None:
        for follower in itertools.chain.from_iterable(self._followers[channels].values()):
            follower.offer(None)

    def _dispatch(self, announced: Announced, followers: Mapping[bytes, set[Follower]]) -> None:
        name, data = announced
        head, _, payload = data.partition(b":")
        try:
            item = None if head == _CONNECTION else (int(head), unpack_event(payload))
        except CodecError as error:
            log.error("unreadable event on a live channel: %s", error)
            return
        for follower in followers.get(name, ()):
            if item is None:
                follower.connection = int(payload)
            follower.offer(item)
