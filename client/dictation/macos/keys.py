"""Chords as Carbon wants them: a virtual key code and a mask of modifiers. Pure."""

from collections.abc import Callable
from typing import Final

from client.dictation.core.chords import Chord
from client.dictation.errors import HotkeyTaken

COMMAND: Final = 1 << 8
SHIFT: Final = 1 << 9
OPTION: Final = 1 << 11
CONTROL: Final = 1 << 12
"""Carbon's modifiers, as in `cmdKey`."""

CODES: Final = range(128)
"""All virtual key codes."""

_MODIFIERS: Final = {"super": COMMAND, "shift": SHIFT, "alt": OPTION, "ctrl": CONTROL}
_NAMED: Final = {
    "space": 49,
    "insert": 114,  # Help, which Apple's keyboards had there
    **{
        f"f{number}": code
        for number, code in enumerate(
            (122, 120, 99, 118, 96, 97, 98, 100, 101, 109, 103, 111, 105, 107, 113, 106, 64, 79, 80, 90), 1
        )
    },
}
_US: Final = dict(
    zip(
        "asdfhgzxcv\u00a7bqweryt123465=97-80]ou[ip\0lj'k;\\,/nm.\0\0`",
        range(51),
        strict=True,
    )
)
"""What is printed on the keys of an American keyboard, by code: where the layout in use has no such
character."""

Layout = Callable[[int], str]
"""What the key with a code types without modifiers, in the layout in use; empty when nothing."""


def code_of(character: str, layout: Layout) -> int | None:
    """The key that types a character, in the layout in use, or else on an American keyboard."""
    typing = (code for code in CODES if layout(code) == character)
    return next(typing, _US.get(character))


def to_carbon(chord: Chord, layout: Layout) -> tuple[int, int]:
    """Key code and modifiers of a chord. Raises `HotkeyTaken` for a key that no Apple keyboard has."""
    code = _NAMED.get(chord.key)
    if code is None and len(chord.key) == 1:
        code = code_of(chord.key, layout)
    if code is None:
        raise HotkeyTaken(f"{chord}: this keyboard has no key {chord.key!r}; choose another one")
    return code, sum(_MODIFIERS[modifier] for modifier in chord.modifiers)
