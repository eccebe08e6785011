"""A transcript as cues: what stands on screen, when, and in which lines. Pure.

Subtitles follow the usual craft: at most two lines of 42 characters on screen, cut at word times. A segment
without words stays one cue, because any time inside it would be invented.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import BadParameter
from shared.events import Word
from shared.transcript import Segment, Transcript, join

LINE_CHARS: Final = (10, 200)
"""Bounds of a line's length."""
CUE_LINES: Final = (1, 10)
"""Bounds of a cue's number of lines."""
CUE_S_MAX: Final = 7.0
"""Longer than this, and a reader starts again from the top."""
CUE_GAP_S: Final = 1.5
"""A pause of this length ends a cue: the text should not stay through it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How much text stands on screen at once. Raises `BadParameter`."""

    max_line_chars: int = 42
    max_lines: int = 2

    def __post_init__(self) -> None:
        for name, (low, high) in (("max_line_chars", LINE_CHARS), ("max_lines", CUE_LINES)):
            if not low <= getattr(self, name) <= high:
                raise BadParameter(f"{name} must be from {low} to {high}")


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands on screen from `start_ms` to `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str = ""


def cues(transcript: Transcript, layout: Layout | None = None) -> list[Cue]:
    """The transcript as cues: in order, none empty, none overlapping the next."""
    layout = layout or Layout()
    placed: list[Cue] = []
    before_ms = 0
    for segment in transcript.segments:
        fitting = _Fitting(layout, label(segment.speaker))
        for start, end, text in _pieces(segment, fitting):
            if not text:
                continue
            start_ms = max(round(start * 1000), before_ms)
            before_ms = max(round(end * 1000), start_ms + 1)
            placed.append(Cue(start_ms, before_ms, fitting.lines(text), segment.speaker))
    return placed


def label(speaker: str) -> str:
    """What stands before the text of a speaker; nothing where there is none."""
    return f"{speaker}: " if speaker else ""


def one_line(text: str) -> str:
    """The text without line breaks: one of any kind inside a cue would end it."""
    return " ".join(text.split())


class _Fitting:
    """What fits into one cue. A speaker's label takes its room from every line."""

    def __init__(self, layout: Layout, label: str) -> None:
        self._width = max(1, layout.max_line_chars - len(label))
        self._lines_max = layout.max_lines

    def takes(self, group: Sequence[Word], word: Word) -> bool:
        """Whether `word` may stand in the same cue as the words before it."""
        if word.start - group[-1].end >= CUE_GAP_S or word.end - group[0].start > CUE_S_MAX:
            return False
        return len(_wrap(_joined([*group, word]), self._width)) <= self._lines_max

    def lines(self, text: str) -> tuple[str, ...]:
        """The text in lines; lines of about the same length rather than full ones and a short one."""
        lines = _wrap(text, self._width)
        if 1 < len(lines) <= self._lines_max:
            for width in range((len(text) + 1) // len(lines), self._width):
                balanced = _wrap(text, width)
                if len(balanced) == len(lines):
                    return tuple(balanced)
        return tuple(lines)


def _pieces(segment: Segment, fitting: _Fitting) -> Iterator[tuple[float, float, str]]:
    """The segment cut at word times; whole when it has no words, or words that are not its text."""
    text = one_line(segment.text)
    if _letters(_joined(segment.words)) != _letters(text):
        yield segment.start, segment.end, text
        return
    group: list[Word] = []
    for word in segment.words:
        if group and not fitting.takes(group, word):
            yield group[0].start, group[-1].end, _joined(group)
            group = []
        group.append(word)
    if group:
        yield group[0].start, group[-1].end, _joined(group)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _joined(words: Sequence[Word]) -> str:
    text = ""
    for word in words:
        text = join(text, one_line(word.text))
    return text


def _letters(text: str) -> str:
    return "".join(text.split())
