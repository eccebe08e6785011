"""What a process and all its children use, sampled from outside."""

import threading
import time
from dataclasses import dataclass
from types import TracebackType

import psutil

SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Totals of a process tree over the time it was watched."""

    cpu_s: float
    """CPU seconds, user and system, all processes."""
    peak_rss_bytes: int
    """Largest sum of resident sizes; pages that processes share count once for each."""
    cpu_s_by_command: dict[str, float]
    """The same CPU seconds by what the process runs."""
    others_cores: float
    """Cores busy, on average, with neither the tree nor this process: what disturbs a measurement."""


class Watch:
    """Watches the tree of `pid` between `start` and `stop`, children that come and go included.

    A child that dies between two samples loses at most half a second of its CPU time.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._before: dict[tuple[int, float], float] = {}
        self._last: dict[tuple[int, float], tuple[str, float]] = {}
        self._peak_rss_bytes = 0
        self._machine: list[tuple[float, float]] = []
        """Wall time, and CPU seconds of all but this process, at the beginning and the end."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_stopped, name="usage", daemon=True)

    def __enter__(self) -> "Watch":
        self._machine.append(_machine())
        self._sample()
        self._before = {key: cpu_s for key, (_, cpu_s) in self._last.items()}
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._sample()
        self._machine.append(_machine())

    def usage(self) -> Usage:
        """Totals of the watch, once it is over."""
        by_command: dict[str, float] = {}
        for key, (command, cpu_s) in self._last.items():
            spent_s = cpu_s - self._before.get(key, 0.0)
            by_command[command] = round(by_command.get(command, 0.0) + spent_s, 3)
        total_s = sum(by_command.values())
        (began_s, before_s), (ended_s, after_s) = self._machine
        return Usage(
            cpu_s=round(total_s, 3),
            peak_rss_bytes=self._peak_rss_bytes,
            cpu_s_by_command=by_command,
            others_cores=round(max(0.0, after_s - before_s - total_s) / (ended_s - began_s), 3),
        )

    def _sample_until_stopped(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        rss_bytes = 0
        for process in self._tree():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    rss_bytes += process.memory_info().rss
                    key = (process.pid, process.create_time())
                    command = self._last[key][0] if key in self._last else _command(process)
            except psutil.NoSuchProcess:
                continue
            self._last[key] = (command, times.user + times.system)
        self._peak_rss_bytes = max(self._peak_rss_bytes, rss_bytes)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _machine() -> tuple[float, float]:
    busy = psutil.cpu_times()
    return time.monotonic(), busy.user + busy.system - time.process_time()


def _command(process: psutil.Process) -> str:
    """`worker` for `python -m worker`, else the program's name."""
    line = process.cmdline()
    if "-m" in line[:-1]:
        return line[line.index("-m") + 1]
    return process.name()
