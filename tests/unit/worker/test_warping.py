"""Warping of attention."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from worker.engine.warping import align, median


def cheapest(cost: np.ndarray) -> float:
    """What the cheapest way costs, by the textbook's table."""
    table = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    table[0, 0] = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            table[i + 1, j + 1] = cost[i, j] + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return float(table[-1, -1])


def test_a_diagonal_is_followed() -> None:
    assert align(1 - np.eye(4)) == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_a_long_token_is_held() -> None:
    heard = np.full((2, 5), -1.0)
    heard[0, :4], heard[1, 4] = 1, 1
    assert align(-heard) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 4)]


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(1, 8)),
        elements=st.floats(-4, 4, allow_nan=False).map(lambda x: round(x, 2)),
    )
)
def test_the_way_leads_from_end_to_end_and_is_the_cheapest(cost: np.ndarray) -> None:
    path = align(cost)
    assert path[0] == (0, 0)
    assert path[-1] == (cost.shape[0] - 1, cost.shape[1] - 1)
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(path)]
    assert all(step in ((0, 1), (1, 0), (1, 1)) for step in steps)
    assert np.isclose(sum(cost[i, j] for i, j in path), cheapest(cost))


def test_the_median_takes_single_peaks_away() -> None:
    weights = np.zeros((1, 9), np.float32)
    weights[0, 4] = 1
    assert not median(weights, 7).any()
    assert (median(np.ones((2, 20), np.float32), 7) == 1).all()
    short = np.ones((1, 3), np.float32)
    assert median(short, 7) is short
