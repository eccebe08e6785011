"""Text as the keyboard events that type it. Pure.

An event holds a string of UTF-16, of which macOS takes the first 20 units and drops the rest without a word.
So text is cut into pieces of at most 20 units, between grapheme clusters: half of a surrogate pair is no
character, and half of an emoji would be drawn by the app before the other half arrives.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from client.dictation.core.graphemes import parts, utf16_units
from client.dictation.core.target import Newline

UNITS_MAX: Final = 20
"""UTF-16 units that an event holds."""

RETURN: Final = 36
TAB: Final = 48
BACKSPACE: Final = 51
"""Virtual key codes: places on the keyboard, the same in all layouts."""

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PIECES: Final = re.compile(r"[\n\t]|[^\n\t]+")


@dataclass(frozen=True, slots=True)
class Stroke:
    """A key, down and up: one that types `text`, or where that is empty the one at `key`."""

    text: str = ""
    units: int = 0
    """Length of `text` in UTF-16 units."""
    key: int = 0
    has_shift: bool = False
    characters: int = 1
    """How many characters of what was asked for have been typed with it."""


def strokes(text: str, newline: Newline) -> Iterator[Stroke]:
    """What types `text`, in order; control characters but newline and tab are left out."""
    plain = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if newline == "space":
        plain = plain.replace("\n", " ")
    for piece in _PIECES.findall(plain):
        if piece == "\t":
            yield Stroke(key=TAB)
        elif piece == "\n":
            yield Stroke(key=RETURN, has_shift=newline == "shift-return")
        else:
            for part in parts(piece, UNITS_MAX):
                yield Stroke(part, utf16_units(part), characters=len(part))
