"""Where text may name an e-mail address, a phone number or the number of a card, also one that is not said to
its end: what `worker.core.writing` needs to leave it out without showing its beginning first. Pure.

What is found as a whole is a library's matter (`Rules.private`); here is what may still become one. It is
generous: text that is held back a word too long is shown a moment later.
"""

import re
from collections.abc import Collection
from typing import Final

_AT: Final = ("at", "arroba", "arobase", "chiocciola", "apenstaartje", "klammeraffe")
_DOT: Final = ("dot", "punkt", "punto", "point", "ponto", "punt")
_JOINERS: Final = frozenset({*_AT, *_DOT, "underscore", "dash", "hyphen", "minus", "plus", "@"})
_OPEN_DIGITS: Final = re.compile(r"[+(]?\d[\d ().,/+-]*$")
_OPEN_AT: Final = re.compile(
    rf"(?:[\w.+-]+@[\w.-]*|\w+(?:\s+(?:{'|'.join(sorted(_JOINERS - {'@'}))})\s+\w+)*"
    rf"\s+(?:{'|'.join(sorted(_JOINERS - {'@'}))})(?:\s+\w*)?)$",
    re.IGNORECASE,
)
_DIGITS_MIN: Final = 3
"""Digits at the end of a text that may be a number's first ones. One or two are nothing by themselves."""

AT: Final = "|".join(_AT)
"""How "@" is spoken, for a pattern."""
DOT: Final = "|".join(_DOT)


def joins(unit: str) -> bool:
    """Whether a word may stand between the parts of an address or a number."""
    word = unit.strip(" ,;:!?\"'").lower()
    return word in _JOINERS or "@" in word or (bool(word) and not any(c.isalnum() for c in word))


def has_digit(unit: str) -> bool:
    """Whether it may be a part of a number."""
    return any(c.isdigit() for c in unit)


def open_from(text: str, kinds: Collection[str]) -> int:
    """Where the end of a text begins that may be the beginning of something private; its length when it has
    none."""
    begin = len(text)
    if found := _OPEN_DIGITS.search(text):
        digits = sum(c.isdigit() for c in found[0])
        if digits >= _DIGITS_MIN and {"phone", "card"}.intersection(kinds):
            begin = found.start()
    if "email" in kinds and (found := _OPEN_AT.search(text.rstrip(".,"))):
        begin = min(begin, found.start())
    return begin
