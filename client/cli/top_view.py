"""What `steno top` draws. Pure: a view of a `System`, for a terminal of any size or for a pipe."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from client.cli.render import printable
from shared.system import SLOT_S, Fleet, Sample, SessionSight, System, WorkerSight

_BARS: Final = "▁▂▃▄▅▆▇█"
_LATE_S: Final = 2.0
"""Latency, lag or backlog from which on it is marked."""
_BUSY: Final = 0.9
_FIXED_LINES: Final = 16
"""Lines of the view beside those of workers and sessions."""
_WIDE: Final = 100
"""Columns from which on a worker's model and device are shown."""
_NOTHING: Final = "–"


def view(system: System, *, where: str, width: int, height: int = 0, problem: str = "") -> RenderableType:
    """The whole view; `height` 0 is without end. `problem` says why there is nothing newer."""
    parts: list[RenderableType] = [_title(system, where)]
    if problem:
        parts.append(Text(printable(problem), style="bold red"))
        parts.append(Text("Trying again; below is what was seen last.", style="red"))
    rows = height - _FIXED_LINES if height else len(system.sessions)
    if fleet := system.fleet:
        parts += [*_figures(fleet, width), Text(), _workers(fleet.workers, width)]
        rows -= len(fleet.workers) if height else 0
    parts += [Text(), _sessions(system, max(3, rows))]
    return Group(*parts)


def _title(system: System, where: str) -> Text:
    title = Text.assemble(("Steno", "bold"), f" {where}", no_wrap=True, overflow="ellipsis")
    if fleet := system.fleet:
        title.append(
            f" · {_count(len(fleet.workers), 'worker')} · {fleet.sessions} of {fleet.capacity} sessions"
        )
    else:
        title.append(f" · {_count(system.sessions_total, 'session')} of yours")
    return title


def _figures(fleet: Fleet, width: int) -> list[Text]:
    minute, hour = fleet.minute, fleet.hour
    backlog = _line("waiting", f"{_count(fleet.waiting, 'session')} without a worker")
    if fleet.waiting:
        backlog.append(f", the oldest for {fleet.oldest_waiting_s:.1f} s", style="yellow")
    backlog.append(f" · oldest decode {fleet.oldest_unserved_s:.2f} s", _late(fleet.oldest_unserved_s))
    latency = _line("word", "median ", (_seconds(minute.word_p50_s), _late(minute.word_p50_s)))
    latency.append(" · 95th ")
    latency.append(_seconds(minute.word_p95_s), _late(minute.word_p95_s))
    latency.append(f" · {minute.words} words in the last minute")
    batches = _line("batches", f"mean {_number(minute.batch_mean)} · ", _sizes(hour.batch_sizes))
    lines = [backlog, latency, _chart(fleet.history, width), batches]
    drops = " · ".join(f"{reason} {count}" for reason, count in sorted(hour.drops.items()))
    lines.append(_line("dropped", drops or "nothing", " in the last hour"))
    if fleet.jobs:
        queued = " · ".join(f"{count} {priority}" for priority, count in fleet.jobs.queued.items() if count)
        lines.append(_line("files", f"{fleet.jobs.running} running · queued: {queued or 'none'}"))
    return lines


def _line(name: str, *parts: str | tuple[str, str]) -> Text:
    return Text.assemble((f"{name:<9}", "dim"), *parts, no_wrap=True, overflow="ellipsis")


def _chart(history: Sequence[Sample], width: int) -> Text:
    """The 95th percentile of the word latency over time, newest at the right."""
    line = _line("")
    values: list[float | None] = []
    if history:
        by_time = {sample.at: sample.word_p95_s for sample in history}
        newest = history[-1].at
        first = max(history[0].at, newest - SLOT_S * (max(1, width - 40) - 1))
        values = [by_time.get(at) for at in range(first, newest + 1, SLOT_S)]  # None: no worker, or no word
    highest = max((value for value in values if value is not None), default=None)
    if highest is None:
        line.append("no words in the last hour", style="dim")
        return line
    for value in values:
        bar = " " if value is None else _BARS[min(7, int(8 * value / (highest or 1)))]
        line.append(bar, _late(value))
    covered_s = len(values) * SLOT_S
    covered = f"{covered_s} s" if covered_s < 60 else f"{covered_s / 60:.0f} min"
    line.append(f" 95th over {covered}, up to {highest:.2f} s", style="dim")
    return line


def _workers(workers: Sequence[WorkerSight], width: int) -> RenderableType:
    if not workers:
        return Text("No worker lives: sessions wait. Look at the workers' logs.", style="bold red")
    about = ("model", "device") if width >= _WIDE else ()
    table = _table("worker", *about, "state", "up", "sessions", "load", "busy", "batch", "rtf")
    for worker in workers:
        _add(
            table,
            printable(worker.id.rpartition("-")[0] or worker.id),
            *((printable(worker.model), printable(worker.device)) if about else ()),
            Text(worker.state, style="" if worker.state == "ready" else "yellow"),
            _age(worker.age_s),
            f"{worker.sessions}/{worker.capacity}",
            Text(f"{worker.load:.2f}", style="red" if worker.load > 1 else ""),
            Text(_share(worker.busy), style="yellow" if (worker.busy or 0) > _BUSY else ""),
            _number(worker.batch_size),
            _number(worker.real_time_factor),
        )
    return table


def _sessions(system: System, rows: int) -> RenderableType:
    if not system.sessions:
        return Text("No live session.", style="dim")
    operator = system.fleet is not None
    table = _table(*(["tenant"] if operator else []), "session", "surface", "state", "age", "audio", "lag")
    shown = system.sessions if len(system.sessions) <= rows else system.sessions[: rows - 1]
    for session in shown:
        _add(table, *([printable(session.tenant) or _NOTHING] if operator else []), *_cells(session))
    more = system.sessions_total - len(shown)
    return Group(table, Text(f"… and {more} more with less lag", style="dim")) if more > 0 else table


def _cells(session: SessionSight) -> list[str | Text]:
    return [
        printable(session.id),
        printable(session.surface) or _NOTHING,
        Text(
            session.state,
            style={"waiting": "yellow", "away": "yellow", "speaking": "green"}.get(session.state, ""),
        ),
        _age(session.age_s),
        _age(session.audio_s),
        Text(f"{session.lag_s:.1f} s", style=_late(session.lag_s)),
    ]


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        right = name in ("up", "sessions", "load", "busy", "batch", "rtf", "age", "audio", "lag")
        table.add_column(name, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    """A row, taken as it is: names from elsewhere may look like markup."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))


def _sizes(sizes: Mapping[str, int]) -> str:
    names = {"1": "1", "2": "2", "4": "3–4", "8": "5–8", "16": "9–16", "32": "17+"}
    found = [f"{count} of {names[size]}" for size, count in sizes.items() if size in names]
    return (", ".join(found) or "none") + " in the last hour"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _late(seconds: float | None) -> str:
    return "red" if seconds is not None and seconds >= _LATE_S else ""


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f} s"


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0%}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
