"""From Redis to the client's socket: every logged event once and in order, partials as they are announced."""

from collections.abc import AsyncGenerator
from typing import Final

from shared.events import Closed, Error, Event
from shared.redis.live import Follower
from shared.redis.sessions import Numbered, SessionLog

_LOOK_S: Final = 2.0
"""How long to go without an announcement before the log is asked whether one was missed."""


async def events(
    follower: Follower, log: SessionLog, session: str, *, after: int = 0
) -> AsyncGenerator[Numbered]:
    """Events with numbers above `after`, until the session is over.

    Numbers have no gaps: when one is skipped, what was logged meanwhile is read from the log first.
    Partials are not logged; one that was missed is worth nothing any more.
    """
    last = after
    while True:
        item = await follower.next(_LOOK_S)
        if item is None or item[0] > last + 1:
            for numbered in await log.events_after(session, last):
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
