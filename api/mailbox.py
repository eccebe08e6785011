"""Events on their way from a session to the one who takes them: an outbox, and who waits at it."""

import asyncio
from typing import Final, NoReturn

from api.metrics import PARTIALS_DROPPED
from api.outbox import Outbox
from shared.errors import MustResume
from shared.events import Event
from shared.redis.sessions import Numbered

STALLED_S: Final = 10.0
"""How long what is read from the log waits for a client that takes nothing of what was said before."""


class Mailbox:
    """Numbered events, in order."""

    def __init__(self, *, stalled_s: float = STALLED_S) -> None:
        self._stalled_s = stalled_s
        self._outbox = Outbox()
        self._pushed = asyncio.Event()
        self._taken = asyncio.Event()
        self._over = asyncio.Event()
        self._failure: Exception | None = None
        self._is_discarded = False
        self.last_seq = 0
        """Number of the last event."""

    def push(self, seq: int, event: Event) -> None:
        """Put a numbered event. Raises `MustResume` when too many wait."""
        self.last_seq = seq
        self._put(seq, event)

    def push_own(self, event: Event) -> None:
        """Put what belongs to the connection, not to the session: it takes no number. Nothing is said so
        before `ready`."""
        if self.last_seq:
            self._put(self.last_seq, event)

    async def turn(self) -> None:
        """Let what waits be taken, before a burst looks like a slow client."""
        if self._outbox.is_long:
            await asyncio.sleep(0)

    async def room(self) -> None:
        """Wait until most of what was pushed is taken: for what can be had later as well. Raises `MustResume`
        when nothing is taken for too long."""
        while self._outbox.is_long:
            self._taken.clear()
            try:
                async with asyncio.timeout(self._stalled_s):
                    await self._taken.wait()
            except TimeoutError:
                raise MustResume("the client does not read; resume the session to get the rest") from None

    async def take(self) -> Numbered | None:
        """The oldest event; None when there will be no more. Raises what it was failed with, at once."""
        while True:
            if self._is_discarded:
                return None
            if self._failure:
                raise self._failure
            if (item := self._outbox.take()) is not None:
                self._taken.set()
                return item
            if self._over.is_set():
                return None
            self._pushed.clear()
            await self._pushed.wait()

    def finish(self) -> None:
        """Nothing more will be pushed."""
        self._over.set()
        self._pushed.set()

    def fail(self, error: Exception) -> None:
        """Let whoever takes have this error. The first one stays."""
        self._failure = self._failure or error
        self.finish()

    def discard(self) -> None:
        """Nobody wants what is here or comes."""
        self._is_discarded = True
        self.finish()

    async def failed(self) -> NoReturn:
        """Wait for the error, and raise it: for whoever is busy with an event."""
        await self._over.wait()
        if self._failure and not self._is_discarded:
            raise self._failure
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    def _put(self, seq: int, event: Event) -> None:
        dropped = self._outbox.dropped
        self._outbox.push((seq, event))
        PARTIALS_DROPPED.inc(self._outbox.dropped - dropped)
        self._pushed.set()
