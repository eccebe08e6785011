"""Key chords as they are written in the settings: `ctrl+alt+d`, `f9`."""

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import BadParameter

MODIFIERS: Final = ("ctrl", "alt", "shift", "super")
"""`super` is Command on macOS, `alt` is Option."""
_ALIASES: Final = {
    "control": "ctrl",
    "option": "alt",
    "cmd": "super",
    "command": "super",
    "win": "super",
    "meta": "super",
}
NAMED: Final = ("space", "pause", "insert", "menu", "scroll_lock", *(f"f{n}" for n in range(1, 25)))
"""Keys that have a name. All others are written as what is printed on them: one letter, digit or sign."""


@dataclass(frozen=True, slots=True)
class Chord:
    """A key, and the modifiers that are held with it."""

    key: str
    """One character in lower case, or one of `NAMED`."""
    modifiers: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return "+".join([*(m for m in MODIFIERS if m in self.modifiers), self.key])


def parse_chord(text: str) -> Chord:
    """What `ctrl+alt+d` means. Raises `BadParameter`."""
    *held, key = [part.strip() for part in re.split(r"\+(?!$)", text.strip().lower())]
    modifiers = frozenset(_ALIASES.get(part, part) for part in held)
    if unknown := sorted(modifiers - set(MODIFIERS)):
        raise BadParameter(f"{text!r}: {unknown[0]!r} is no modifier; there are {', '.join(MODIFIERS)}")
    if not (len(key) == 1 and key.isprintable() and not key.isspace()) and key not in NAMED:
        raise BadParameter(f"{text!r}: {key!r} is no key that has a name here; see docs/dictation.md")
    if not modifiers & {"ctrl", "alt", "super"} and len(key) == 1:
        raise BadParameter(f"{text!r} would take a key that types; add ctrl, alt or super")
    return Chord(key, modifiers)
