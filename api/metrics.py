"""Every metric of the edge, with its unit and meaning; served at `GET /metrics`."""

from prometheus_client import Counter, Gauge

SESSIONS = Gauge("steno_edge_sessions", "Live sessions whose client is connected", ["surface"])
SESSIONS_OPENED = Counter("steno_edge_sessions_opened", "Live sessions opened", ["surface"])
REFUSED = Counter("steno_edge_refused", "Live sessions refused or failed by the edge", ["code"])
RESUMED = Counter("steno_edge_sessions_resumed", "Connections that resumed a live session")
TAKEN_OVER = Counter(
    "steno_edge_connections_taken_over", "Connections closed because a newer one has the session"
)
WARNINGS = Counter("steno_edge_warnings", "Warnings written to clients", ["code"])
LAGGING = Gauge("steno_edge_lagging_sessions", "Sessions whose socket is not read because workers are behind")
PARTIALS_DROPPED = Counter("steno_edge_partials_dropped", "Partials replaced before a slow client read them")
CUT_OFF = Counter(
    "steno_edge_connections_cut_off",
    "Connections closed so that the client resumes: it read too slowly, or Redis lost audio",
)
WORKERS = Gauge("steno_workers", "Living workers")
CAPACITY_FREE = Gauge("steno_workers_free_sessions", "Live sessions that the workers would still take")
OLDEST_UNSERVED_S = Gauge(
    "steno_oldest_unserved_seconds", "Age of the oldest live decode that waits, over all workers"
)
RATE_LIMITED = Counter("steno_edge_rate_limited", "Requests refused because their tenant asks too often")
QUOTA_ENDED = Counter("steno_edge_quota_ended", "Live sessions ended because their tenant had no audio left")
RTC_PEERS = Gauge("steno_edge_rtc_peers", "WebRTC peers, connected or about to")
RTC_FAILED = Counter(
    "steno_edge_rtc_failed",
    "WebRTC peers that did not connect in time",
    ["stage"],
)
RTC_LOST = Counter("steno_edge_rtc_packets_lost", "Packets of WebRTC audio that silence stands for")
RTC_DROPPED_S = Counter(
    "steno_edge_rtc_dropped_seconds", "WebRTC audio dropped because workers are behind; silence stands for it"
)
