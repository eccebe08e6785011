"""Events between the task that receives them and the caller that iterates over them."""

import asyncio
from collections import deque
from typing import Final

from client.incoming import Received
from shared.events import Final as FinalEvent
from shared.events import Partial

UNREAD_MAX: Final = 1024
"""Events that wait for the caller. At the bound nothing more is received until it reads: hours of talk when
only finals wait, because partials are replaced."""
_SLOW_FROM: Final = 64
"""Events waiting from which partials are replaced: a caller that reads sees them all."""


class Inbox:
    """Events in their order, each given once."""

    def __init__(self) -> None:
        self._unread: deque[Received] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._is_closed = False

    async def put(self, received: Received) -> None:
        """Keep an event for the caller. Waits at the bound."""
        await self._room.wait()
        if len(self._unread) >= _SLOW_FROM and isinstance(received.event, Partial | FinalEvent):
            self._unread = deque(item for item in self._unread if not isinstance(item.event, Partial))
        self._unread.append(received)
        self._update()

    def close(self) -> None:
        """Nothing more will come."""
        self._is_closed = True
        self._changed.set()

    async def wait(self) -> None:
        """Wait for the first event, or until nothing more will come."""
        await self._changed.wait()

    async def take(self) -> Received | None:
        """The next event; None when nothing more will come. Cancelling loses nothing."""
        await self._changed.wait()
        received = self._unread.popleft() if self._unread else None
        self._update()
        return received

    def _update(self) -> None:
        if self._unread or self._is_closed:
            self._changed.set()
        else:
            self._changed.clear()
        if len(self._unread) < UNREAD_MAX:
            self._room.set()
        else:
            self._room.clear()
