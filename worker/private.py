"""E-mail addresses, phone numbers and numbers of cards in text. Phone numbers are phonenumbers' matter (the
port of Google's libphonenumber), cards are told by their check digit (Luhn, ISO/IEC 7812-1), addresses by
their form.

It is imported when the first session asks for it: its tables of numbers take some time and memory.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Final

from worker.core.privacy import AT, DOT

Span = tuple[int, int, str]
"""First character, the one behind the last, and what it is."""

_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL: Final = re.compile(
    rf"\w+(?:(?:\s+(?:{DOT}|underscore|dash|hyphen|minus|plus)\s+|[._-])\w+)*\s+(?:{AT})\s+"
    rf"\w[\w-]*(?:(?:\s+(?:{DOT})\s+|\.)\w[\w-]*)+",
    re.IGNORECASE,
)
_GROUP: Final = re.compile(r"\d+")
_BETWEEN: Final = re.compile(r"[ ().,/-]{0,4}")
_GROUPS_MAX: Final = 24
_PHONE_DIGITS: Final = (7, 15)
_CARD_DIGITS: Final = (13, 19)
_REGIONS: Final = {
    "en": ("US", "GB", "AU", "IN", "IE", "NZ", "ZA"),
    "de": ("DE", "AT", "CH"),
    "fr": ("FR", "BE", "CH"),
    "es": ("ES", "MX", "AR", "CO", "CL"),
    "it": ("IT", "CH"),
    "pt": ("BR", "PT"),
    "nl": ("NL", "BE"),
    "pl": ("PL",),
    "sv": ("SE",),
    "da": ("DK",),
    "no": ("NO",),
    "fi": ("FI",),
    "ru": ("RU",),
    "uk": ("UA",),
    "tr": ("TR",),
    "ja": ("JP",),
    "ko": ("KR",),
    "zh": ("CN", "TW", "HK"),
    "hi": ("IN",),
}
"""Where a number without a country's code is looked for, by the language that is spoken. In others only
numbers with "+" are known."""


def find_private(text: str, kinds: Collection[str], language: str) -> list[Span]:
    """What is private in a text, in its order, without overlaps; longer ones win."""
    found: list[Span] = []
    if "email" in kinds:
        found += [(m.start(), m.end(), "email") for p in (_EMAIL, _SPOKEN_EMAIL) for m in p.finditer(text)]
    if {"phone", "card"}.intersection(kinds):
        for run in _runs(text):
            found += _numbers(text, run, kinds, language)
    taken: list[Span] = []
    for span in sorted(found, key=lambda s: s[0] - s[1]):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in taken):
            taken.append(span)
    return sorted(taken)


def _runs(text: str) -> Iterator[list[tuple[int, int]]]:
    """Groups of digits with nothing but separators between them."""
    run: list[tuple[int, int]] = []
    for group in _GROUP.finditer(text):
        if run and not _BETWEEN.fullmatch(text, run[-1][1], group.start()):
            yield run
            run = []
        run.append(group.span())
    if run:
        yield run


def _numbers(text: str, run: list[tuple[int, int]], kinds: Collection[str], language: str) -> Iterator[Span]:
    """What the groups of a run make. Cards go before phone numbers, longer before shorter; a number that
    other digits follow and precede without a comma is none, but the middle of something else."""
    count = len(run)
    ends = {0, count, *(n for n in range(1, count) if "," in text[run[n - 1][1] : run[n][0]])}
    windows = [
        (begin, end)
        for begin in range(count)
        for end in range(begin + 1, min(count, begin + _GROUPS_MAX) + 1)
        if begin in ends or end in ends
    ]
    windows.sort(key=lambda w: ((w[0] in ends) + (w[1] in ends), w[1] - w[0]), reverse=True)
    taken: set[int] = set()
    for wanted in ("card", "phone"):
        for begin, end in windows:
            if taken.intersection(range(begin, end)):
                continue
            digits = "".join(text[a:b] for a, b in run[begin:end])
            first = run[begin][0]
            opened = first - (first > 0 and text[first - 1] == "(")
            has_plus = text[:opened].endswith("+")
            if _is(wanted, digits, language, has_plus=has_plus):
                taken.update(range(begin, end))
                if wanted not in kinds:  # a card is no phone number
                    continue
                yield opened - has_plus, run[end - 1][1], wanted


def _is(kind: str, digits: str, language: str, *, has_plus: bool) -> bool:
    """Whether a number is of that kind."""
    low, high = _CARD_DIGITS if kind == "card" else _PHONE_DIGITS
    if not low <= len(digits) <= high:
        return False
    return not has_plus and _is_luhn(digits) if kind == "card" else _is_phone(digits, language, plus=has_plus)


def _is_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and total > 0


def _is_phone(digits: str, language: str, *, plus: bool) -> bool:
    library = _library()
    for region in (None,) if plus else _REGIONS.get(language, ()):
        try:
            number = library.parse(f"+{digits}" if plus else digits, region)
        except library.NumberParseException:
            continue
        if library.is_valid_number(number):
            return True
    return False


@cache
def _library() -> Any:
    import phonenumbers

    return phonenumbers
