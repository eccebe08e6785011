"""The transcript as it comes together: windows' segments in the order of the file. Pure.

Windows end in any order, and each channel has its own; a segment has its place once nothing before it can
come any more.
"""

from collections.abc import Iterable
from dataclasses import replace
from heapq import heappop, heappush

from shared.transcript import Segment

_Row = tuple[float, int, int, int, Segment]


class Assembly:
    """One file. With `split`, segments carry the channel they were heard on, and its speaker."""

    def __init__(self, *, split: bool) -> None:
        self._split = split
        self._waiting: list[_Row] = []
        self._placed: list[Segment] = []

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those that have their place."""
        return tuple(self._placed)

    def add(self, window: int, channel: int, segments: Iterable[Segment]) -> None:
        """Take the segments of a window."""
        for number, segment in enumerate(segments):
            heard = replace(segment, channel=channel, speaker=f"S{channel + 1}") if self._split else segment
            # Numbers keep the order of segments that start together, and segments from being compared.
            heappush(self._waiting, (segment.start, channel, window, number, heard))

    def settle(self, until_s: float) -> list[Segment]:
        """All segments that start before `until_s` are there: those of them that had no place yet, in their
        order."""
        placed: list[Segment] = []
        while self._waiting and self._waiting[0][0] < until_s:
            placed.append(heappop(self._waiting)[-1])
        self._placed += placed
        return placed
