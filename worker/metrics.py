"""Every metric of the worker, with its unit and meaning. Served on `STENO_METRICS_PORT` when that is set;
docs/metrics.md lists them."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

SESSIONS = Gauge("steno_worker_sessions", "Live sessions that this worker has")
TAKEOVERS = Counter("steno_worker_takeovers", "Sessions taken over from another worker")
LEASES_LOST = Counter("steno_worker_leases_lost", "Sessions that another worker took over from this one")
AUDIO_S = Counter("steno_worker_audio_seconds", "Live audio taken in")
WINDOWS = Counter("steno_worker_windows", "Windows of files", ["outcome"])
SET_ASIDE = Counter(
    "steno_worker_sessions_set_aside", "Sessions closed because they broke worker after worker"
)
CANARY_SHARE = Gauge(
    "steno_worker_canary_share",
    "Share of the canary's words that were heard the last time; 1 before the first",
)
CANARY_SHARE.set(1)
ENGINE_FAULTS = Counter("steno_worker_engine_faults", "Batches that the decoder failed on")
OUT_OF_MEMORY = Counter(
    "steno_worker_out_of_memory", "Batches for which the device's memory did not suffice, tried again smaller"
)
BATCH_ROWS_MAX = Gauge(
    "steno_worker_batch_rows_max",
    "Most decodes of a batch: the engine's own number, less after the device's memory did not suffice",
)

QUEUE_S = Histogram(
    "steno_decode_queue_seconds", "Wait of a decode before it starts", ["kind"], buckets=_SECONDS
)
ENCODE_S = Histogram("steno_encode_seconds", "Time of a batch in the encoder", ["kind"], buckets=_SECONDS)
DECODE_S = Histogram(
    "steno_decode_seconds", "Time of a batch on the device behind the encoder", ["kind"], buckets=_SECONDS
)
DECODE_BATCH = Histogram(
    "steno_decode_batch_size", "Decodes in a batch", ["kind"], buckets=(1, 2, 4, 8, 16, 32)
)
WINDOW_S = Histogram(
    "steno_decode_window_seconds",
    "Length of the encoder's window, padding included",
    ["kind"],
    buckets=(6, 8, 10, 12, 15, 17, 20, 25, 30),
)
REAL_TIME_FACTOR = Histogram(
    "steno_decode_real_time_factor",
    "Time of a batch on the device for each second of the audio in it",
    ["kind"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
)
DEVICE_S = Counter("steno_device_seconds", "Time that batches took on the device, all together", ["kind"])

EVENT_LAG_S = Histogram(
    "steno_event_lag_seconds",
    "From the arrival of the audio that an event is about to its publishing",
    ["type"],
    buckets=_SECONDS,
)
WORD_LAG_S = Histogram(
    "steno_word_lag_seconds",
    "From the arrival of a word's last audio to the publishing of the text that first shows it",
    buckets=_SECONDS,
)
WORDS = Counter("steno_words", "Words of finals")
WORDS_TAKEN_BACK = Counter("steno_words_taken_back", "Words that a partial showed and the next text did not")
DROPPED = Counter("steno_texts_dropped", "Decoded texts that a filter took", ["kind", "reason"])
HEARD_ALONE = Counter(
    "steno_finals_heard_alone",
    "Finals heard once more by themselves, whole or from where they left out speech",
    ["outcome"],
)
