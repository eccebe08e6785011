"""What a soak keeps of a run, and what it makes of it."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.plot import Chart

WARM_UP: Final = 0.25
"""Part of the run that is left out of the growth."""

GROWTH_PERCENT_MAX: Final = 2.0
"""Growth of a process's resident memory behind the warm-up from which it counts as a leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The service at a moment. By process: resident bytes and open files."""

    at_s: float
    rss_bytes: dict[str, int]
    files: dict[str, int]
    redis_bytes: int
    redis_keys: int
    latency_ms: dict[str, float]
    """Of partials since the last sample: audio sent to text received, median and 95th percentile."""
    active: int


@dataclass(slots=True)
class Soak:
    """What happened."""

    samples: list[Sample] = field(default_factory=list[Sample])
    closed: int = 0
    hung_up: int = 0
    kills: int = 0
    failures: list[str] = field(default_factory=list[str])
    active: int = 0
    latencies_s: list[float] = field(default_factory=list[float])


def growth(samples: Sequence[Sample], of: Callable[[Sample], float | None]) -> float | None:
    """Growth in percent, from the first quarter after the warm-up to the last quarter; medians."""
    values = [v for s in samples[round(WARM_UP * len(samples)) :] if (v := of(s)) is not None]
    quarter = len(values) // 4
    if not quarter:
        return None
    first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
    return round(100 * (last - first) / first, 2)


def rss_growth(soak: Soak) -> dict[str, float | None]:
    """Growth of each process's resident memory, in percent."""
    names = sorted({name for s in soak.samples for name in s.rss_bytes})
    return {n: growth(soak.samples, lambda s, n=n: s.rss_bytes.get(n)) for n in names}


def grown(soak: Soak) -> list[str]:
    """Processes that grew."""
    return [name for name, percent in rss_growth(soak).items() if (percent or 0.0) > GROWTH_PERCENT_MAX]


def report(soak: Soak) -> dict[str, Any]:
    """The figures."""
    names = sorted({name for s in soak.samples for name in s.rss_bytes})
    late = [s.latency_ms["p95"] for s in soak.samples if s.latency_ms]
    return {
        "closed": soak.closed,
        "hung_up": soak.hung_up,
        "worker_kills": soak.kills,
        "failures": soak.failures,
        "rss_growth_percent": rss_growth(soak),
        "rss_mb": {n: round(b / 1e6, 1) for s in soak.samples[-1:] for n, b in s.rss_bytes.items()},
        "files_growth_percent": {n: growth(soak.samples, lambda s, n=n: s.files.get(n)) for n in names},
        "redis_growth_percent": growth(soak.samples, lambda s: s.redis_bytes),
        "partial_latency_p95_ms_median": round(statistics.median(late), 1) if late else None,
    }


def charts(soak: Soak) -> list[Chart]:
    """What is plotted."""
    names = sorted({name for s in soak.samples for name in s.rss_bytes})

    def of(value: Callable[[Sample], float | None]) -> list[tuple[float, float]]:
        return [(s.at_s, v) for s in soak.samples if (v := value(s)) is not None]

    return [
        Chart(
            "Resident memory, MB", {n: of(lambda s, n=n: s.rss_bytes.get(n, 0) / 1e6 or None) for n in names}
        ),
        Chart("Open files", {n: of(lambda s, n=n: s.files.get(n)) for n in names}),
        Chart("Redis memory, MB", {"used": of(lambda s: s.redis_bytes / 1e6)}),
        Chart("Redis keys", {"keys": of(lambda s: s.redis_keys)}),
        Chart(
            "Partials: spoken to received, ms",
            {p: of(lambda s, p=p: s.latency_ms.get(p)) for p in ("p50", "p95")},
        ),
        Chart("Sessions", {"open": of(lambda s: s.active)}),
    ]
