"""What the service is doing, as `GET /v1/system` says it and `steno top` and the web page show it.

Never text, never audio, never a whole session id. A reply is for one of two readers: an operator, who sees
everything (`scope` is `all`), or a tenant, who sees its own sessions and nothing of others (`tenant`, and
`fleet` is missing). Durations are seconds. What is None is not in the JSON document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

SLOT_S: Final = 10
"""Length of a sample of the history."""
HISTORY_S: Final = 3600
"""How far the history goes back."""
LOOK_S: Final = 1.0
"""How often to ask: what is shown changes once a second, and an edge looks no more often."""
SESSION_ID_CHARS: Final = 8
"""What is told of a session's id: enough to find it in a log, of no use to anybody else."""
SESSIONS_MAX: Final = 200
"""Most sessions in a reply; `sessions_total` says how many there are. Those with the greatest lag come
first."""

Scope = Literal["all", "tenant"]
SessionState = Literal["waiting", "speaking", "quiet", "away"]
"""No worker has it yet; an utterance is open; nobody speaks; its client is gone and may come back."""
WorkerState = Literal["ready", "full", "draining"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSight:
    """One live session, seen from outside."""

    id: str
    """The first `SESSION_ID_CHARS` characters."""
    tenant: str = ""
    surface: str = ""
    """The protocol of its client; empty when it was opened by an edge of an older version."""
    state: SessionState
    age_s: float
    """Since it was opened."""
    audio_s: float = 0.0
    """Audio that has come."""
    lag_s: float = 0.0
    """Audio that has come and of which nothing is said yet, although it should be. About one partial interval
    while somebody speaks, 0 in silence; it grows when the worker does not keep up."""
    worker: str | None = None
    """Name of its worker; for operators only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSight:
    """One worker."""

    id: str
    model: str
    device: str
    """Device and compute type."""
    state: WorkerState
    sessions: int
    capacity: int
    """Live sessions that it takes."""
    load: float
    """Part of the device that its sessions want; above 1 it does not keep up."""
    oldest_unserved_s: float
    """Age of the oldest live decode that waits."""
    age_s: float | None = None
    """Since it was started. None, here and below: it is of another version and does not say."""
    batch_size: float | None = None
    """Mean number of decodes in a batch, over the last `SLOT_S`; also None while nothing is decoded."""
    busy: float | None = None
    """Share of its decoding threads' time that batches took, over the last `SLOT_S`, 0 to 1; batches that
    still run are counted."""
    real_time_factor: float | None = None
    """Time of batches for each second of audio in them, over the last `SLOT_S`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What all workers together did in a stretch of time."""

    at: int
    """Where it begins, in seconds of the Unix epoch by the clock of Redis."""
    span_s: int
    words: int = 0
    """Words that were shown first."""
    word_p50_s: float | None = None
    """Median of the time from the arrival of a word's last audio at its worker to the publishing of the text
    that first shows it; None without words. Read from a histogram whose steps are 12 %."""
    word_p95_s: float | None = None
    sessions: float = 0.0
    """Mean number of live sessions."""
    busy: float | None = None
    """Share of the decoding threads' time that batches took."""
    batch_mean: float | None = None
    """Mean number of decodes in a batch."""
    batch_sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Batches by size: `1`, `2`, `4` (3 and 4), `8`, `16`, `32` (all larger ones)."""
    drops: Mapping[str, int] = field(default_factory=dict[str, int])
    """Texts that a filter took, by its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """File jobs that have not ended."""

    queued: Mapping[str, int]
    """By priority."""
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All workers together. For operators only."""

    workers: tuple[WorkerSight, ...] = ()
    sessions: int = 0
    """Live sessions that workers have."""
    capacity: int = 0
    """Live sessions that they take."""
    free: int = 0
    """Live sessions that they would still take; less than the difference while one drains."""
    waiting: int = 0
    """Live sessions that no worker has."""
    oldest_waiting_s: float = 0.0
    """How long the oldest of these has waited."""
    oldest_unserved_s: float = 0.0
    """Age of the oldest live decode that waits, over all workers: the age of the backlog."""
    jobs: JobCounts | None = None
    """None when file jobs are off, or their Redis does not answer."""
    minute: Sample
    """The last minute."""
    hour: Sample
    """The last hour."""
    history: tuple[Sample, ...] = ()
    """The last hour in steps of `SLOT_S`, oldest first, without those in which no worker was there. The last
    one is not over and comes again: replace the one with the same `at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The whole reply."""

    scope: Scope
    now: float
    """Seconds of the Unix epoch by the clock of Redis."""
    sessions_total: int = 0
    """Live sessions that the reader may know of."""
    sessions: tuple[SessionSight, ...] = ()
    fleet: Fleet | None = None
