"""Who is at work: each worker says so once a second, and the dead are swept by the living."""

from dataclasses import dataclass
from typing import Final

from shared.codec import CodecError, pack, unpack
from shared.redis.connection import AsyncRedis
from shared.redis.keys import WORKERS
from shared.redis.scripts import Scripts

HEARTBEAT_S: Final = 1.0
DEAD_AFTER_S: Final = 5
"""A worker that has said nothing for this long is not counted; sessions move much earlier, with their
leases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPresence:
    """One worker's sign of life."""

    worker: str
    model: str
    device: str
    languages: tuple[str, ...]
    """Codes that its model transcribes."""
    capacity: int
    """Live sessions that it takes."""
    active: int
    """Live sessions that it has."""
    draining: bool = False
    oldest_unserved_s: float = 0.0
    """Age of the oldest decode request that waits."""
    decoded_s_ago: float | None = None
    """Since its last decode; None: there was none, or it is of another version."""
    canary_share: float | None = None
    """Share of the canary's words that it heard the last time; None: it has not heard it."""
    load: float = 0.0
    """Part of the device that its sessions want, by measured costs; above 1 it does not keep up."""

    load_max: float = 0.0
    """Load from which it is full, however few sessions it has; 0: none."""

    @property
    def is_loaded(self) -> bool:
        """Whether its sessions want all that they shall."""
        return 0.0 < self.load_max <= self.load

    @property
    def free(self) -> int:
        """Sessions that it would still take. They are taken to want what those that it has want."""
        if self.draining or self.is_loaded:
            return 0
        free = max(0, self.capacity - self.active)
        if self.load_max and self.active and self.load:
            free = min(free, int((self.load_max - self.load) * self.active / self.load))
        return free


class Presence:
    """Reads and writes the set of living workers."""

    def __init__(self, client: AsyncRedis) -> None:
        self._scripts = Scripts(client)

    async def beat(self, presence: WorkerPresence) -> None:
        """Say that the worker lives."""
        await self._scripts.run("heartbeat", [WORKERS], [presence.worker, pack(presence), DEAD_AFTER_S])

    async def leave(self, worker: str) -> None:
        """Say that the worker stops."""
        await self._scripts.run("heartbeat", [WORKERS], [worker, b"", DEAD_AFTER_S])

    async def workers(self) -> list[WorkerPresence]:
        """The living workers."""
        now_s, flat = await self._scripts.run("living", [WORKERS], [])
        living: list[WorkerPresence] = []
        for value in flat[1::2]:
            seen, _, packed = value.partition(b":")
            if int(now_s) - int(seen) > DEAD_AFTER_S:
                continue
            try:
                living.append(unpack(WorkerPresence, packed))
            except CodecError:  # a worker of another version
                continue
        return sorted(living, key=lambda w: w.worker)
