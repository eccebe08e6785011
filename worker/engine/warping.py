"""Dynamic time warping of attention: which token is heard where."""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from shared.audio.pcm import Float32

_BOTH: Final = 0
_TOKEN: Final = 1
_TIME: Final = 2


def median(weights: Float32, width: int) -> Float32:
    """Running median over `width` (odd) places of the last axis; its ends are mirrored."""
    half = width // 2
    if weights.shape[-1] <= half:
        return weights
    padded = np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(half, half)], mode="reflect")
    return np.asarray(np.median(sliding_window_view(padded, width, axis=-1), axis=-1), np.float32)


def align(cost: Any) -> list[tuple[int, int]]:
    """The cheapest way from the first token and time of `cost` [tokens, times] to the last, a step at a time
    (Sakoe and Chiba 1978): pairs of token and time, both rising."""
    tokens, times = cost.shape
    rows: list[list[float]] = np.asarray(cost, np.float64).tolist()
    before = [0.0] + [np.inf] * times
    steps: list[bytearray] = []
    for row in rows:
        here, taken = [np.inf] * (times + 1), bytearray(times + 1)
        last = np.inf
        for j, own in enumerate(row, 1):
            both, token = before[j - 1], before[j]
            if both <= token and both <= last:
                last, taken[j] = own + both, _BOTH
            elif token <= last:
                last, taken[j] = own + token, _TOKEN
            else:
                last, taken[j] = own + last, _TIME
            here[j] = last
        before = here
        steps.append(taken)
    path: list[tuple[int, int]] = []
    i, j = tokens, times
    while i > 0 and j > 0:
        path.append((i - 1, j - 1))
        step = steps[i - 1][j]
        i, j = i - (step != _TIME), j - (step != _TOKEN)
    return path[::-1]
