"""How long after a chunk's arrival a text has heard of it."""

import math

from bench.assistant import Measured, heard_s, table


def test_a_text_belongs_to_the_first_chunk_that_it_has_heard_something_new_of() -> None:
    arrived = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)]
    texts = [(1.2, 1.0), (2.9, 1.8), (3.1, 1.8), (4.5, 4.0)]
    # The third was heard together with the fourth, by a text that came when that was there.
    assert list(heard_s(arrived, texts)) == [0.2, 0.9, math.inf, 0.5]


def test_the_last_chunk_may_be_heard_by_any_later_text() -> None:
    assert list(heard_s([(1.0, 1.0)], [(1.5, 1.3)])) == [0.5]
    assert list(heard_s([(1.0, 1.0)], [(0.5, 1.0)])) == [math.inf]


def test_a_way_without_figures_has_a_row() -> None:
    rows = table([Measured("remote", "base"), Measured("faster", "base", ready_s=2.0, text_s=[0.1, 0.3])])
    assert len(rows.splitlines()) == 4
    assert "nan" in rows
    assert "0.290" in rows
