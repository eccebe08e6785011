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
    """The longest numbers of a run, one behind the other."""
    begin = 0
    while begin < len(run):
        for end in range(min(len(run), begin + _GROUPS_MAX), begin, -1):
            digits = "".join(text[a:b] for a, b in run[begin:end])
            first = run[begin][0]
            is_open = first > 0 and text[first - 1] == "("
            plus = text[: first - is_open].rstrip().endswith("+")
            kind = _kind(digits, kinds, language, plus=plus)
            if kind:
                first = text.rindex("+", 0, first) if plus else first - is_open
                yield first, run[end - 1][1], kind
                begin = end - 1
                break
        begin += 1


def _kind(digits: str, kinds: Collection[str], language: str, *, plus: bool) -> str:
    """What a number is; empty for nothing private."""
    low, high = _CARD_DIGITS
    if "card" in kinds and low <= len(digits) <= high and not plus and _is_luhn(digits):
        return "card"
    low, high = _PHONE_DIGITS
    if "phone" in kinds and low <= len(digits) <= high and _is_phone(digits, language, plus=plus):
        return "phone"
    return ""


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
