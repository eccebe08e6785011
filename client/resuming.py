"""How a client gets over a lost connection: when it tries again, and what it tells its caller. Pure."""

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

RESUMABLE: Final = frozenset({1001, 1005, 1006, 1011, 1012, 1014, 4002})
"""Close codes after which the session goes on: the connection broke, or the server said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """What is done about a lost connection."""

    limit_s: float = 60.0
    """How long it is tried before the session is given up; 0: it is not tried. Servers wait for half as long,
    and keep what was said for five minutes more."""
    buffer_s: float = 120.0
    """Audio that is held for the server's word that it has arrived; at the bound, `send` waits."""
    delay_s: float = 0.2
    """Longest wait before the first attempt. It doubles with each, and a random part of it is taken, so that
    the clients of a server that comes back do not come all at once."""
    delay_s_max: float = 5.0

    def delays_s(self, chance: random.Random) -> Generator[float]:
        """Waits before attempts, without end."""
        longest = self.delay_s
        while True:
            yield chance.uniform(0, longest)
            longest = min(2 * longest, self.delay_s_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChange:
    """A connection was lost, or the session has one again."""

    is_up: bool
    reason: str
    """Why it was lost: a sentence for a person."""
    attempts: int = 0
    """How many it took to have one again."""
    down_s: float = 0.0
    """How long there was none."""
