"""From Redis to the client's socket: every logged event once and in order, partials as they are announced."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from shared.errors import TakenOver
from shared.events import Closed, Error, Event
from shared.redis.live import Follower
from shared.redis.sessions import FIRST_CONNECTION, Attached, Numbered, SessionLog

_LOOK_S: Final = 2.0
"""How long to go without an announcement before the log is asked whether one was missed."""


async def events(
    follower: Follower,
    log: SessionLog,
    session: str,
    attached: Attached,
    *,
    after: int = 0,
    room: Callable[[], Awaitable[None]],
) -> AsyncGenerator[Numbered]:
    """Events with numbers above `after`, until the session is over. Raises `TakenOver` when another
    connection has the session.

    Numbers have no gaps: when one is skipped, what was logged meanwhile is read from the log first.
    Partials are not logged; one that was missed is worth nothing any more. Each event from the log waits for
    `room`: it can be read later as well.
    """
    last = after
    if attached.connection > FIRST_CONNECTION:
        async for numbered in log.logged(session, last):
            await room()
            last = numbered[0]
            yield numbered
            if is_last(numbered[1]):
                return
    while attached.is_open:
        item = await follower.next(_LOOK_S)
        if follower.connection > attached.connection:
            raise TakenOver("a newer connection has the session")
        if item is None or item[0] > last + 1:
            async for numbered in log.logged(session, last):
                await room()
                last = numbered[0]
                yield numbered
                if is_last(numbered[1]):
                    return
        if item is None or item[0] <= last:
            continue
        last = item[0]
        yield item
        if is_last(item[1]):
            return


def is_last(event: Event) -> bool:
    """Whether the session is over after this."""
    return isinstance(event, Closed | Error)
