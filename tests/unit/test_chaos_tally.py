"""The figures of the chaos suite say what they claim to."""

from tests.chaos.clients import Heard
from tests.chaos.injector import Disturbance
from tests.chaos.tally import Row, rows, table


def test_a_disturbance_has_the_longest_pause_that_it_falls_into() -> None:
    calm = Heard(times=[0.0, 1.0, 2.0, 3.0])
    waits = Heard(times=[0.0, 1.4, 4.0, 9.0], resumed=1)
    done = [Disturbance("edge killed", "kill edge 1", began=1.5, ended=1.6)]
    assert rows(7, done, [calm, waits], 0) == [
        Row(seed=7, kind="edge killed", pause_s=2.6, violations=0, resumed=1)
    ]


def test_a_run_with_no_event_around_a_disturbance_has_no_pause() -> None:
    done = [Disturbance("Redis killed", "restart Redis", began=5.0, ended=6.0)]
    assert [row.pause_s for row in rows(1, done, [Heard(times=[0.0, 1.0])], 0)] == [0.0]


def test_violations_and_new_connections_of_a_run_count_once() -> None:
    kept = [
        Row(seed=1, kind="edge killed", pause_s=1.0, violations=2, resumed=3),
        Row(seed=1, kind="edge killed", pause_s=2.0, violations=2, resumed=3),
        Row(seed=2, kind="Redis killed", pause_s=0.5, violations=0, resumed=1),
    ]
    text = table(kept)
    assert "| edge killed | 2 | 1 | 2 | 2.0 |" in text
    assert "| Redis killed | 1 | 1 | 0 | 0.5 |" in text
    assert "| all | 3 | 2 | 2 | 2.0 |" in text
    assert "4 connections were replaced." in text
