"""Counts of what workers do: those of several workers, and of several stretches of time, add up. Pure.

A worker counts for a second and hands the counts to Redis, where they are added to those of all others in a
ring of short stretches; an edge reads the ring and makes samples of it. Latencies are counted in steps that
grow by 12 %, as in an HDR histogram, because percentiles can't be added and counts can.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from shared.system import Sample

Counts = Mapping[str, float]
"""Sums by name. `w<n>`: words in the n-th step of latency; `b<n>`: batches of up to n decodes; `x<reason>`:
texts that a filter took; and `DECODES` to `SESSION_S`."""

DECODES: Final = "d"
DEVICE_S: Final = "t"
"""Time that batches took, on all threads."""
THREAD_S: Final = "c"
"""Time that there was, on all threads."""
SESSION_S: Final = "s"
"""Sessions times time."""

_FIRST_S: Final = 0.05
_STEP: Final = 1.12
_STEPS: Final = 60
"""The last step begins at 40 s."""
SIZES: Final = (1, 2, 4, 8, 16, 32)


class Tally:
    """What one worker has done since it was asked last."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._sums: dict[str, float] = {}

    def batch(self, decodes: int, took_s: float) -> None:
        """A batch was decoded."""
        self._counts[f"b{next((size for size in SIZES if decodes <= size), SIZES[-1])}"] += 1
        self._counts[DECODES] += decodes
        self._add(DEVICE_S, took_s)

    def words(self, lags_s: Iterable[float]) -> None:
        """Words were shown first, so long after their audio had come."""
        self._counts.update(f"w{step_of(lag_s)}" for lag_s in lags_s)

    def dropped(self, reason: str) -> None:
        """A filter took a text."""
        self._counts[f"x{reason}"] += 1

    def passed(self, span_s: float, *, sessions: int, threads: int) -> None:
        """So much time went by, with so many sessions, on so many threads."""
        self._add(THREAD_S, span_s * threads)
        self._add(SESSION_S, span_s * sessions)

    def take(self) -> dict[str, float]:
        """The counts; they begin anew."""
        taken = {**self._counts, **self._sums}
        self._counts.clear()
        self._sums.clear()
        return taken

    def _add(self, name: str, amount: float) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + amount


def step_of(lag_s: float) -> int:
    """The step that a latency falls into."""
    if lag_s <= _FIRST_S:
        return 0
    return min(_STEPS, math.ceil(math.log(lag_s / _FIRST_S) / math.log(_STEP)))


def merged(parts: Iterable[Counts]) -> dict[str, float]:
    """The sum of all."""
    total: dict[str, float] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def sample(at: int, span_s: int, counts: Counts) -> Sample:
    """What the counts of a stretch of time say. `span_s` is its length, as far as it has gone by."""
    words = {int(name[1:]): n for name, n in counts.items() if name[0] == "w" and name[1:].isdecimal()}
    sizes = {size: int(counts.get(f"b{size}", 0)) for size in SIZES}
    batches = sum(sizes.values())
    thread_s = counts.get(THREAD_S, 0.0)
    return Sample(
        at=at,
        span_s=span_s,
        words=int(sum(words.values())),
        word_p50_s=_percentile(words, 0.50),
        word_p95_s=_percentile(words, 0.95),
        sessions=round(counts.get(SESSION_S, 0.0) / span_s, 2) if span_s else 0.0,
        busy=round(min(1.0, counts.get(DEVICE_S, 0.0) / thread_s), 3) if thread_s else None,
        batch_mean=round(counts.get(DECODES, 0.0) / batches, 2) if batches else None,
        batch_sizes={str(size): n for size, n in sizes.items() if n},
        drops={name[1:]: int(n) for name, n in sorted(counts.items()) if name[0] == "x"},
    )


def _percentile(steps: Mapping[int, float], part: float) -> float | None:
    """The middle of the step in which the percentile lies, to the millisecond."""
    rank, seen = part * sum(steps.values()), 0.0
    for step in sorted(steps):
        seen += steps[step]
        if seen >= rank:
            return round(_FIRST_S * _STEP ** (step - 0.5), 3) if step else _FIRST_S
    return None
