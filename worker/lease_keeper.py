"""Keeps the lease of one session, and knows what its renewals tell."""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

from shared.redis.connection import ConnectionLost
from shared.redis.leases import Claim, LeaseBook

_SUSPECT_S: Final = 3.0
"""How long a session that has broken workers is watched at least: the audio that waits is heard by then."""


class LeaseKeeper:
    """Of a claimed session. `lease_s` is how long a lease holds, `alone_s` how long a session is kept behind
    the last sign of its client that was seen."""

    def __init__(self, claim: Claim, book: LeaseBook, *, lease_s: float, alone_s: float) -> None:
        self._claim = claim
        self._book = book
        self._lease_s = lease_s
        self._alone_s = alone_s
        self._is_suspect = claim.is_suspect
        self._is_alone = False

    @property
    def is_suspect(self) -> bool:
        """Whether this may be the session that has broken workers; until it has gone forward, or everything
        that it asked for was decoded."""
        return self._is_suspect

    @property
    def is_alone(self) -> bool:
        """Whether its client was gone at the last renewal."""
        return self._is_alone

    def went_forward(self) -> None:
        """The session got past the place where workers broke, if it was this one: Redis knows."""
        self._is_suspect = False

    async def keep(self, *, is_busy: Callable[[], bool], abandon: Callable[[], None]) -> NoReturn:
        """Renew until cancelled. `is_busy` says whether the session waits for a decode; `abandon` is called
        when no edge holds the client any more. A renewal that can't reach Redis is tried again: the lease may
        still be ours when it answers.

        Raises `Superseded` when another worker has the session.
        """
        clock = asyncio.get_running_loop().time
        innocent_from = clock() + _SUSPECT_S
        client_seen = clock()
        while True:
            await asyncio.sleep(self._lease_s / 4)
            try:
                if self._is_suspect and clock() > innocent_from and not is_busy():
                    await self._book.absolve(self._claim)
                    self._is_suspect = False
                self._is_alone = not await self._book.renew(self._claim)
                if not self._is_alone:
                    client_seen = clock()
                elif clock() - client_seen >= self._alone_s:
                    abandon()
            except ConnectionLost:
                client_seen = clock()  # the edge may have been cut off as well
