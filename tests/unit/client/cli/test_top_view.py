"""What `steno top` draws, at any size: no line is wider than the terminal, and nothing is missing."""

import pytest
from rich.console import Console
from rich.segment import Segment

from client.cli.top_view import view
from shared.codec import from_map, to_map
from shared.system import Fleet, JobCounts, Sample, SessionSight, System, WorkerSight

EMPTY = Sample(at=0, span_s=10)


def worker(n: int, *, load: float = 0.5) -> WorkerSight:
    return WorkerSight(
        id=f"host-{n}-0123456789ab",
        model="base",
        device="cpu int8",
        state="ready",
        sessions=3,
        capacity=64,
        load=load,
        oldest_unserved_s=0.1,
        age_s=3725.0,
        batch_size=1.5,
        busy=0.95,
        real_time_factor=0.12,
    )


def session(n: int) -> SessionSight:
    return SessionSight(
        id=f"{n:08d}", tenant="alice", surface="native", state="speaking", age_s=75, audio_s=70, lag_s=0.4
    )


def system(workers: int = 2, sessions: int = 3) -> System:
    minute = Sample(at=0, span_s=60, words=12, word_p50_s=0.7, word_p95_s=2.5, batch_mean=1.5)
    history = tuple(
        Sample(at=10 * n, span_s=10, word_p95_s=None if n % 7 == 3 else n / 100) for n in range(360)
    )
    fleet = Fleet(
        workers=tuple(worker(n, load=2 * n) for n in range(workers)),
        sessions=6,
        capacity=128,
        free=122,
        waiting=1,
        oldest_waiting_s=4.0,
        jobs=JobCounts(queued={"normal": 2, "low": 0}, running=1),
        minute=minute,
        hour=Sample(at=0, span_s=3600, batch_sizes={"1": 9, "4": 2}, drops={"loop": 3}),
        history=history,
    )
    rows = tuple(session(n) for n in range(sessions))
    return System(scope="all", now=3600.0, sessions_total=sessions, sessions=rows, fleet=fleet)


def drawn(found: System, width: int = 120, height: int = 0, problem: str = "") -> str:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(view(found, where="http://host", width=width, height=height, problem=problem))
    return capture.get()


def test_everything_is_there() -> None:
    text = drawn(system())
    for word in (
        "2 workers", "6 of 128 sessions", "1 session without a worker", "4.0 s", "median 0.70 s", "2.50 s",
        "9 of 1, 2 of 3–4", "loop 3", "1 running", "2 normal", "host-0 ", "1:02:05", "95%", "0.12",
        "alice", "1:15",
    ):  # fmt: skip
        assert word in text, word


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("height", [5, 24, 60])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    console = Console(width=width, height=height, color_system=None)
    found = system(workers=2, sessions=150)
    lines = console.render_lines(view(found, where="http://host", width=width, height=height), pad=False)
    assert all(Segment.get_line_length(line) <= width for line in lines)
    if height >= 24 and width >= 80:
        assert len(lines) <= height


def test_what_is_not_shown_is_counted() -> None:
    assert "more with less lag" in drawn(system(sessions=150), height=30)


def test_a_tenant_sees_sessions_only() -> None:
    text = drawn(System(scope="tenant", now=1.0, sessions_total=1, sessions=(session(1),)))
    assert "1 session of yours" in text
    assert "worker" not in text
    assert "alice" not in text


def test_nobody_at_work_is_said() -> None:
    text = drawn(System(scope="all", now=1.0, fleet=Fleet(minute=EMPTY, hour=EMPTY)))
    assert "No worker lives" in text
    assert "No live session" in text
    assert "no words" in text


def test_what_comes_from_elsewhere_moves_no_cursor() -> None:
    evil = SessionSight(id="\x1b[2Jx", tenant="[red]a[/]\n", surface="native", state="quiet", age_s=1)
    text = drawn(System(scope="all", now=1.0, sessions=(evil,), fleet=Fleet(minute=EMPTY, hour=EMPTY)))
    assert "\x1b" not in text
    assert "[red]a[/]" in text


def test_the_reply_travels_as_json() -> None:
    found = system()
    assert from_map(System, to_map(found)) == found


def test_the_chart_leaves_room_for_times_without_workers() -> None:
    history = tuple(Sample(at=at, span_s=10, word_p95_s=0.5) for at in (100, 110, 180))
    text = drawn(System(scope="all", now=185.0, fleet=Fleet(minute=EMPTY, hour=EMPTY, history=history)))
    assert "██      █ 95th over 2 min" in text
    young = Fleet(minute=EMPTY, hour=EMPTY, history=history[:2])
    assert "██ 95th over 20 s" in drawn(System(scope="all", now=115.0, fleet=young))
