"""The only place where a key name is formed. docs/redis-model.md is the reference, and a test compares the
two.

`{nn}` is the session's shard: its CRC-32 modulo the number of shards, in braces so that Redis Cluster puts
all keys of a session, and the stream that queues it, into one slot: each transition is one script, and a
script may only touch one slot.
"""

import fnmatch
import functools
import zlib
from dataclasses import dataclass
from typing import Final

GROUP: Final = "workers"
WORKERS: Final = "steno:workers"
JOBS: Final = "steno:jobs"
WEBHOOKS: Final = "steno:webhooks"
AUDIT: Final = "steno:audit"
REPORTS: Final = "steno:{system}:reports"
HISTORY: Final = "steno:{system}:history"

LIVE_TTL_S: Final = 600
"""Keys of an open session: refreshed by each renewal of the lease and each append, so this must only
exceed the longest queueing."""
CLOSED_TTL_S: Final = 300
"""Keys of a closed session, unless its tenant has a time of its own: long enough for a client to collect the
last events after a reconnect."""

PERMANENT: Final = (
    WORKERS,
    JOBS,
    WEBHOOKS,
    AUDIT,
    "steno:{*}:sessions",
    "steno:{*}:windows",
    "steno:{*}:urgent",
    "rq:*",
)
"""Patterns of keys without a TTL. Their size is bounded: entries are deleted when settled, and the dead
are swept."""


def is_permanent(name: str) -> bool:
    """Whether a key may be without a TTL."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in PERMANENT)


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """All keys of one session."""

    queue: str
    """Stream of live sessions of the shard; the pending entry is the lease."""
    audio: str
    state: str
    events: str
    live: str
    """Pub/sub channel."""
    client: str
    """Present while an edge holds the client's socket."""


def _queue(shard: int) -> str:
    return f"steno:{{{shard:02d}}}:sessions"


@functools.lru_cache(maxsize=4096)
def _session_keys(shard: int, session: str) -> SessionKeys:
    """Kept, because each piece of audio asks for them."""
    base = f"steno:{{{shard:02d}}}:s:{session}:"
    names = ("audio", "state", "events", "live", "client")
    return SessionKeys(_queue(shard), *(base + name for name in names))


@dataclass(frozen=True, slots=True)
class JobKeys:
    """All keys of one file job, apart from RQ's own."""

    results: str
    """Hash: window number to its packed result. The job's checkpoint."""
    news: str
    """Stream that wakes the job: one entry for each result."""
    cancel: str
    """Present once the job was cancelled."""
    segments: str
    """Stream of the segments that are finished, in the order of the transcript; id `<number>-0`."""
    deliveries: str
    """Hash: id of a webhook's delivery to its packed log."""


class Keys:
    """Key names for a deployment with `shards` shards."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards

    def shard(self, ident: str) -> int:
        """The shard that a session or job belongs to."""
        return zlib.crc32(ident.encode()) % self.shards

    def queue(self, shard: int) -> str:
        """The stream of live sessions of a shard."""
        return _queue(shard)

    def takers(self, shard: int) -> str:
        """Which workers ask for sessions of a shard, when they did last, and how much load they have."""
        return f"steno:{{{shard:02d}}}:takers"

    def windows(self, shard: int) -> str:
        """The stream of file windows of a shard."""
        return f"steno:{{{shard:02d}}}:windows"

    def urgent_windows(self, shard: int) -> str:
        """The stream of those windows of a shard that go before all others."""
        return f"steno:{{{shard:02d}}}:urgent"

    def session(self, session: str) -> SessionKeys:
        """All keys of a session."""
        return _session_keys(self.shard(session), session)

    def job(self, job: str) -> JobKeys:
        """All keys of a file job."""
        base = f"steno:{{{self.shard(job):02d}}}:j:{job}:"
        names = ("results", "news", "cancel", "segments", "deliveries")
        return JobKeys(*(base + name for name in names))

    def tenant_sessions(self, tenant: str) -> str:
        """The live sessions of a tenant, and until when each holds its place."""
        return f"steno:tenant:{tenant}:sessions"

    def tenant_rate(self, tenant: str) -> str:
        """When the tenant's next request would be due, were they evenly spread."""
        return f"steno:tenant:{tenant}:rate"

    def tenant_usage(self, tenant: str) -> str:
        """What the tenant has used in this day and month."""
        return f"steno:tenant:{tenant}:usage"

    def tenant_jobs(self, tenant: str) -> str:
        """The file jobs of a tenant that count, with the bytes of their uploads."""
        return f"steno:tenant:{tenant}:jobs"

    def job_key(self, digest: str) -> str:
        """What the client's idempotency key stands for; `digest` is its SHA-256 in hexadecimal."""
        return f"steno:jobs:key:{digest}"
