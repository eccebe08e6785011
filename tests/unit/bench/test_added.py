"""What a surface added, from announcements and what clients got."""

import numpy as np
import pytest

from bench.added import Announcements, compared, reached, table, took
from shared.codec import pack_event
from shared.events import Event, Final, Partial


def final(text: str) -> Final:
    return Final(text=text, utterance=0, start=0, end=1, committed=len(text), offset=0)


def partial(text: str, committed: int) -> Partial:
    return Partial(text=text, utterance=0, start=0, end=1, committed=committed, offset=0)


ANNOUNCED: list[tuple[float, Event]] = [
    (1.0, partial("one two", 3)),
    (2.0, final("one two")),
    (2.5, final("")),
    (3.0, partial("three four", 10)),
    (4.0, final("three four")),
    (5.0, final("five")),
]


def test_each_final_is_found_again_however_it_is_said() -> None:
    native = [(at_s + 0.001, event) for at_s, event in ANNOUNCED]
    only_finals = [(at_s, event) for at_s, event in native if isinstance(event, Final) and event.text]
    pieces = [
        (1.2, partial("one", 3)),
        (2.003, partial("one two", 7)),
        (5.002, final("one two three four five")),
    ]
    # "three four" was settled before its final, so that its final told nothing new.
    assert took(ANNOUNCED, native) == pytest.approx([0.001, 0.001])
    assert took(ANNOUNCED, only_finals) == pytest.approx([0.001, 0.001])
    assert took(ANNOUNCED, pieces) == pytest.approx([0.003, 0.002])
    assert took(ANNOUNCED, []) == []
    assert reached(ANNOUNCED) == [(1.0, 3), (2.0, 7), (3.0, 18), (4.0, 18), (5.0, 23)]


def test_announcements_are_kept_by_session_in_the_order_of_their_first() -> None:
    heard = Announcements()
    heard.hear(1.0, b"b", b"2:" + pack_event(final("x")))
    heard.hear(1.1, b"a", b"connection:1")
    heard.hear(1.2, b"a", b"2:" + pack_event(final("y")))
    assert list(heard.sessions) == [b"b", b"a"]
    assert heard.sessions[b"a"] == [(1.2, final("y"))]


def test_what_is_added_is_found_within_its_bounds_also_where_all_is_late() -> None:
    rng = np.random.default_rng(7)
    native, again, slow = (list(rng.gamma(2.0, 0.002, 500)) for _ in range(3))
    rows = compared({0: native, 1: again, 2: [s + 0.004 for s in slow]}, ["native", "native", "slow"])
    assert rows[0].added_p95_s == 0.0
    assert rows[1].low_s < 0.0 < rows[1].high_s
    assert rows[2].low_s < 0.004 < rows[2].high_s
    assert rows[2].low_s > 0.001
    assert "aim: 5 ms" in table(rows, 0.1)
    assert "disturbed" in table(rows, 1.5)
