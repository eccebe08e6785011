"""Which keys type which characters on an X keyboard, and which spare keys are given to those that have none.
Pure."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

RETURN: Final = 0xFF0D
TAB: Final = 0xFF09
BACKSPACE: Final = 0xFF08
_CONTROLS: Final[Mapping[str, int]] = {"\n": RETURN, "\t": TAB}


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and whether Shift is held with it."""

    code: int
    shift: bool = False


def keysym_of(char: str) -> int:
    """The keysym of a character, by the X protocol's rule for Unicode."""
    if char in _CONTROLS:
        return _CONTROLS[char]
    point = ord(char)
    return point if 0x20 <= point <= 0x7E or 0xA0 <= point <= 0xFF else 0x0100_0000 | point


def is_spare(row: Sequence[int]) -> bool:
    """Whether a key with these keysyms is one that the layout leaves empty, or that was given a character as
    spare keys are: the same with Shift and without. So those of a typer that was killed are found again."""
    keysyms = {keysym for keysym in row if keysym}
    return not keysyms or (len(keysyms) == 1 and is_character(row[0]))


def is_character(keysym: int) -> bool:
    """Whether it is one of those that `keysym_of` gives, Latin letters of ASCII aside."""
    return 0xA0 <= keysym <= 0xFF or keysym >> 24 == 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Keys to be pressed one after another, once the spare keys of `bound` have been given these keysyms."""

    bound: Mapping[int, int]
    """Keycode to keysym."""
    keys: Sequence[Key]


class Keymap:
    """The keys of a layout's first group, and a cache of characters on the spare ones: the one that was used
    longest ago goes first."""

    def __init__(self, rows: Mapping[int, Sequence[int]], modifiers: Collection[int]) -> None:
        """`rows`: the keysyms of each keycode, as GetKeyboardMapping gives them: two of the first group come
        first. `modifiers`: keycodes that are none to type with."""
        self._own: dict[int, Key] = {}
        for code, row in rows.items():
            if code in modifiers:
                continue
            for shift, keysym in enumerate(row[:2]):
                if keysym:
                    self._own.setdefault(keysym, Key(code, shift=bool(shift)))
        # The lowest keycode is taken for none at all by some programs.
        free = [code for code, row in rows.items() if not any(row) and code not in modifiers and code > 8]
        self._slots: OrderedDict[int, int] = OrderedDict((code, 0) for code in free)
        self._bound: dict[int, int] = {}

    @property
    def spare(self) -> list[int]:
        """The keycodes that may be given to characters."""
        return list(self._slots)

    def plan(self, keysyms: Sequence[int]) -> list[Batch]:
        """The batches that type these. Raises `LookupError` when a character is on no key and none is
        spare."""
        batches: list[Batch] = []
        at = 0
        while at < len(keysyms):
            at = self._fill(keysyms, at, batches)
        return batches

    def _fill(self, keysyms: Sequence[int], at: int, batches: list[Batch]) -> int:
        """One more batch, as long as the spare keys suffice. Returns where the next one begins."""
        bound: dict[int, int] = {}
        used: set[int] = set()
        keys: list[Key] = []
        for keysym in keysyms[at:]:
            key = self._own.get(keysym)
            if key is None:
                code = self._bound.get(keysym)
                if code is None:
                    code = next((code for code in self._slots if code not in used), None)
                    if code is None:
                        break
                    self._bind(code, keysym)
                    bound[code] = keysym
                used.add(code)
                self._slots.move_to_end(code)
                key = Key(code)
            keys.append(key)
        if not keys:
            raise LookupError("no spare key")
        batches.append(Batch(bound, keys))
        return at + len(keys)

    def _bind(self, code: int, keysym: int) -> None:
        self._bound.pop(self._slots[code], None)
        self._slots[code] = keysym
        self._bound[keysym] = code
