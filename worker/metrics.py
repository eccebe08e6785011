"""Every metric of the worker, with its unit and meaning. Served on `STENO_METRICS_PORT` when that is set."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

SESSIONS = Gauge("steno_worker_sessions", "Live sessions that this worker has")
TAKEOVERS = Counter("steno_worker_takeovers", "Sessions taken over from another worker")
LEASES_LOST = Counter("steno_worker_leases_lost", "Sessions that another worker took over from this one")
SET_ASIDE = Counter(
    "steno_worker_sessions_set_aside", "Sessions closed because they broke worker after worker"
)
ENGINE_FAULTS = Counter("steno_worker_engine_faults", "Batches that the decoder failed on")
QUEUE_S = Histogram(
    "steno_decode_queue_seconds", "Wait of a decode before it starts", ["kind"], buckets=_SECONDS
)
DECODE_S = Histogram("steno_decode_seconds", "Time of a batch on the device", ["kind"], buckets=_SECONDS)
DECODE_BATCH = Histogram(
    "steno_decode_batch_size", "Decodes in a batch", ["kind"], buckets=(1, 2, 4, 8, 16, 32)
)
AUDIO_S = Counter("steno_worker_audio_seconds", "Live audio taken in")
WORD_LAG_S = Histogram(
    "steno_event_lag_seconds", "Audio end to publishing of an event", ["type"], buckets=_SECONDS
)
WINDOWS = Counter("steno_worker_windows", "Windows of files", ["outcome"])
