"""Every metric of the edge, with its unit and meaning; served at `GET /metrics`."""

from prometheus_client import Counter, Gauge

SESSIONS = Gauge("steno_edge_sessions", "Clients connected to live sessions")
SESSIONS_OPENED = Counter("steno_edge_sessions_opened", "Live sessions opened")
REFUSED = Counter("steno_edge_refused", "Live sessions refused or failed by the edge", ["code"])
WORKERS = Gauge("steno_workers", "Living workers")
CAPACITY_FREE = Gauge("steno_workers_free_sessions", "Live sessions that the workers would still take")
OLDEST_UNSERVED_S = Gauge(
    "steno_oldest_unserved_seconds", "Age of the oldest live decode that waits, over all workers"
)
