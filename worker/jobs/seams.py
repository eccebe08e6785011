"""Where the words of one window go over into those of the next. Pure.

Windows that were cut in mid-speech overlap. Both hear the words there, each badly at its own edge; the word
on which they agree nearest to the middle of the overlap is the last that is taken from the one; what follows
it is taken from the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.events import Word
from worker.core.hypothesis import fold

_APART_S: Final = 0.6
"""Most that two windows' times of the same word differ."""
_EDGE_S: Final = 0.1
"""Word times are not surer than this: where no word is the same, one that may belong to either side is kept
on both rather than lost."""
_WORD_S_MAX: Final = 1.0
"""A word at a window's edge that is longer was given the time of speech that was not understood there;"""
_WORD_S: Final = 0.3
"""this much of it, away from the edge, is the word itself."""


@dataclass(slots=True)
class _Piece:
    """A window's place in the file, in seconds; what it says, once known, and which of it is its own."""

    start_s: float
    lead_s: float
    trail_s: float
    words: tuple[Word, ...] | None = None
    begins: int | None = None
    ends: int | None = None


class Seams:
    """The windows of one channel. Words go in in any order of windows, and come out once both sides of a
    window are known."""

    def __init__(self) -> None:
        self._pieces: dict[int, _Piece] = {}

    @property
    def open_from_s(self) -> float:
        """Where the first window begins that still waits for its own words or a neighbour's; infinite when
        none does."""
        return min((piece.start_s for piece in self._pieces.values()), default=float("inf"))

    def expect(self, index: int, start_s: float, *, lead_s: float, trail_s: float) -> None:
        """A window will come, the `index`th of the channel; `lead_s` and `trail_s` of it overlap with its
        neighbours."""
        self._pieces[index] = _Piece(start_s, lead_s, trail_s)

    def heard(self, index: int, words: Sequence[Word]) -> list[tuple[int, tuple[Word, ...]]]:
        """What a window says, with times of the file. Returns the windows that are complete now, each with
        the words that are its own."""
        piece = self._pieces[index]
        piece.words = tuple(words)
        if not piece.lead_s:
            piece.begins = 0
        if not piece.trail_s:
            piece.ends = len(piece.words)
        self._join(index - 1)
        self._join(index)
        near = (n for n in (index - 1, index, index + 1) if n in self._pieces)
        return [(n, own) for n in near if (own := self._own(n)) is not None]

    def _join(self, index: int) -> None:
        left, right = self._pieces.get(index), self._pieces.get(index + 1)
        if left is None or right is None or left.words is None or right.words is None or not right.lead_s:
            return
        cut_s = right.start_s + right.lead_s / 2
        left.ends, right.begins = seam(left.words, right.words, cut_s, right.lead_s)

    def _own(self, index: int) -> tuple[Word, ...] | None:
        piece = self._pieces[index]
        if piece.words is None or piece.begins is None or piece.ends is None:
            return None
        del self._pieces[index]
        return piece.words[piece.begins : piece.ends]


def seam(left: Sequence[Word], right: Sequence[Word], cut_s: float, overlap_s: float) -> tuple[int, int]:
    """How many words of `left` stand before those of `right`, and the first of `right` that stands behind
    them. Both overlap for `overlap_s` around `cut_s`."""
    left = [*left[:-1], *(_shortened(word, end=word.start + _WORD_S) for word in left[-1:])]
    right = [*(_shortened(word, start=word.end - _WORD_S) for word in right[:1]), *right[1:]]
    reach_s = overlap_s / 2 + _APART_S
    pairs = [
        (i, j)
        for i, before in enumerate(left)
        for j, after in enumerate(right)
        if abs(_middle(before) - cut_s) <= reach_s and _same(before, after)
    ]
    if pairs:
        i, j = min(pairs, key=lambda pair: _distance(left[pair[0]], right[pair[1]], cut_s))
        return i + 1, j + 1
    # Where one of them says nothing, the other one does.
    said = [_middle(word) for word in left]
    said_next = [_middle(word) for word in right]
    at_s = max(cut_s, min(min(said_next, default=math.inf), cut_s + reach_s))
    if at_s == cut_s:
        at_s = min(cut_s, max(max(said, default=-math.inf), cut_s - reach_s) + 2 * _EDGE_S)
    ends = sum(middle_s < at_s + _EDGE_S for middle_s in said)
    begins = sum(middle_s < at_s - _EDGE_S for middle_s in said_next)
    if ends and begins < len(right) and fold(left[ends - 1].text) == fold(right[begins].text):
        begins += 1
    return ends, begins


def _shortened(word: Word, **times: float) -> Word:
    return replace(word, **times) if word.end - word.start > _WORD_S_MAX else word


def _same(before: Word, after: Word) -> bool:
    near = abs(before.start - after.start) <= _APART_S
    return near and bool(fold(before.text)) and fold(before.text) == fold(after.text)


def _distance(before: Word, after: Word, cut_s: float) -> float:
    """From the cut, and of the two times of the word: a short word may be there twice."""
    return abs((_middle(before) + _middle(after)) / 2 - cut_s) + abs(before.start - after.start)


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2
