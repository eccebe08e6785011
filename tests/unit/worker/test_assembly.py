"""Segments find their place in whatever order windows end."""

from hypothesis import given
from hypothesis import strategies as st

from shared.transcript import Segment
from worker.jobs.assembly import Assembly


def segment(start: float, text: str = "x") -> Segment:
    return Segment(start=start, end=start + 1, text=text)


def test_a_segment_waits_for_what_may_come_before_it() -> None:
    made = Assembly(split=False)
    made.add(1, 0, [segment(30, "late")])
    assert made.settle(5.0) == []
    made.add(0, 0, [segment(0, "early"), segment(10, "middle")])
    assert [row.text for row in made.settle(30.0)] == ["early", "middle"]
    assert [row.text for row in made.settle(float("inf"))] == ["late"]
    assert [row.text for row in made.segments] == ["early", "middle", "late"]
    assert all(row.speaker == "" and row.channel is None for row in made.segments)


def test_channels_take_turns_by_time() -> None:
    made = Assembly(split=True)
    made.add(0, 0, [segment(0, "hello"), segment(8, "fine")])
    made.add(1, 1, [segment(4, "how are you"), segment(8, "good")])
    said = [(row.speaker, row.channel, row.text) for row in made.settle(float("inf"))]
    assert said == [
        ("S1", 0, "hello"),
        ("S2", 1, "how are you"),
        ("S1", 0, "fine"),
        ("S2", 1, "good"),
    ]


@given(
    st.lists(st.lists(st.floats(0, 29), max_size=4), min_size=1, max_size=8).flatmap(
        lambda windows: st.tuples(st.just(windows), st.permutations(range(len(windows))))
    )
)
def test_what_is_said_as_it_comes_is_the_transcript(drawn: tuple[list[list[float]], list[int]]) -> None:
    """For any order of windows: each segment once, in the order of the file, and the same as at once."""
    windows, order = drawn
    rows = {
        n: [segment(30.0 * n + at, f"{n}.{i}") for i, at in enumerate(row)] for n, row in enumerate(windows)
    }
    whole, piecewise = Assembly(split=False), Assembly(split=False)
    for number, segments in rows.items():
        whole.add(number, 0, segments)
    whole.settle(float("inf"))
    said: list[Segment] = []
    missing = set(rows)
    for number in order:
        piecewise.add(number, 0, rows[number])
        missing.discard(number)
        said += piecewise.settle(30.0 * min(missing) if missing else float("inf"))
    assert tuple(said) == piecewise.segments == whole.segments
    assert [row.start for row in said] == sorted(row.start for row in said)
