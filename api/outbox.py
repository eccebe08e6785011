"""What waits to be written to a client's socket. Pure.

A client that reads in time gets every message. For one that does not, partials are replaced while they wait,
and finals pile up to a bound: then the connection has to go, and the client gets them from the session's log
when it resumes.
"""

from collections import deque
from typing import Final

from shared.errors import MustResume
from shared.events import Ack, Event, Partial
from shared.redis.sessions import Numbered

SLOW_FROM: Final = 32
"""Messages waiting from which a client is slow. A worker says fewer in a burst; a client that reads has none
waiting."""
WAITING_MAX: Final = 256
"""Messages that may wait. Partials do not pile up: these are finals and boundaries, minutes of talk."""


class Outbox:
    """Messages in their order."""

    def __init__(self) -> None:
        self._waiting: deque[Numbered] = deque()
        self.dropped = 0
        """Partials that were replaced before they were written."""

    @property
    def is_long(self) -> bool:
        """Whether more waits than for a client that reads in time."""
        return len(self._waiting) >= SLOW_FROM

    def push(self, item: Numbered) -> None:
        """Put a message behind the others. Raises `MustResume` when too many wait."""
        if self.is_long:
            self._drop_replaced(item[1])
        if len(self._waiting) >= WAITING_MAX:
            raise MustResume("the client reads too slowly; resume the session to get the rest")
        self._waiting.append(item)

    def take(self) -> Numbered | None:
        """The oldest message, which waits no longer; None when none waits."""
        return self._waiting.popleft() if self._waiting else None

    def _drop_replaced(self, newest: Event) -> None:
        kept = deque(item for item in self._waiting if not _replaces(newest, item[1]))
        self.dropped += len(self._waiting) - len(kept)
        self._waiting = kept


def _replaces(newer: Event, older: Event) -> bool:
    """Whether nobody needs `older` once there is `newer`."""
    if isinstance(older, Ack):
        return isinstance(newer, Ack)
    # Partials come in the order of their utterances, so that anything said later about text replaces them.
    return isinstance(older, Partial) and newer.type in ("partial", "final")
