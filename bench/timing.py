"""Timing one call many times."""

import statistics
import time
from collections.abc import Callable


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call, after one that is not counted."""
    call()
    times: list[float] = []
    for _ in range(repeats):
        begun_s = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begun_s))
    return round(statistics.median(times), 2)
