"""How text is written for the client: numbers as digits, profanity masked, what is private left out. Only
what is said is changed; decodes go on from the text as it was heard.

Committed text stays as it was written, by construction: `Shown` keeps what was written of the beginning of an
utterance, and only what lies behind it is written anew. Its end is put where what comes can't change what
stands before: behind a whole word that is no part of a number and does not follow one, since "two hundred
and" may go on.
"""

import bisect
import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from shared.events import SessionConfig, Word
from worker.core.hypothesis import units
from worker.core.privacy import has_digit, joins, open_from

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Number:
    """Tokens `[start, end)` are a number; `text` is how it is written in digits."""

    start: int
    end: int
    text: str


class Rules(Protocol):
    """What is known about words. A language that is not known has no numbers and no profanity."""

    def numbers(self, tokens: Sequence[str], language: str, *, lone: bool) -> list[Number]:
        """The spoken numbers among words, signs and spaces; with `lone` also small ones that stand alone,
        which are better written as words."""
        ...

    def private(self, text: str, kinds: Collection[str], language: str) -> list[tuple[int, int, str]]:
        """Characters `[start, end)` of a text that are private, and what each is: one of `kinds`. They do not
        overlap."""
        ...

    def is_profane(self, word: str, language: str) -> bool:
        """Whether a single word is profane."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """The first `heard` characters of an utterance are written as `text`, for good."""

    heard: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Units `[start, end)` and how they are written."""

    start: int
    end: int
    text: str


class Writer:
    """Writes as one session asked for."""

    def __init__(self, config: SessionConfig, rules: Rules | None) -> None:
        self._digits = config.numerals == "digits"
        self._mask = config.profanity == "mask"
        self._redact = config.redact
        self._writes = bool(self._digits or self._mask or self._redact)
        self._into = "en" if config.task == "translate" else ""
        self._rules = rules
        if rules is None and self._writes:
            raise ValueError("this session's way of writing needs rules")

    def text(self, shown: Shown, heard: str, language: str, *, is_whole: bool = True) -> str:
        """The utterance `heard`, which begins with what was `shown`. Of one that is not whole, the end is
        left out that may be the beginning of something private."""
        behind = self._pieces(self._certain(units(heard[shown.heard :]), language, is_whole), language)
        return shown.text + "".join(piece.text for piece in behind)

    def commit(self, shown: Shown, heard: str, stable: int, language: str) -> Shown:
        """What may be shown for good once the first `stable` characters of `heard` won't change."""
        if self._rules is None or not self._writes:
            return Shown(stable, heard[:stable])
        behind = units(heard[shown.heard :])
        ends = [shown.heard]
        for unit in behind:
            ends.append(ends[-1] + len(unit))
        held = self._in_number(behind, language) | self._in_private(behind, language)
        # The last committed word may go on: a decode may put letters behind it.
        whole_words = sum(end <= stable for end in ends[1:]) - (2 if self._redact else 1)
        for count in range(whole_words, 0, -1):
            if not held & {count - 1, count - 2} and not (self._redact and count in held):
                pieces = self._pieces(behind, language)
                fresh = "".join(piece.text for piece in pieces if piece.end <= count)
                return Shown(ends[count], shown.text + fresh)
        return shown

    def words(self, words: tuple[Word, ...], language: str, *, is_whole: bool = True) -> tuple[Word, ...]:
        """The words as they are written, and left out as in the text; those of one number become one."""
        spelled = self._certain([f" {word.text}" for word in words], language, is_whole)
        pieces = self._pieces(spelled, language)
        return tuple(_merged(words[p.start : p.end], p.text.strip()) for p in pieces)

    def _pieces(self, spelled: list[str], language: str) -> list[_Piece]:
        """Each unit as it is written; units that share a number are one piece."""
        if self._rules is None or not self._writes:
            return [_Piece(i, i + 1, unit) for i, unit in enumerate(spelled)]
        tokens, owners = _tokens(spelled)
        written = list(tokens)
        if self._mask:
            written = [self._masked(token, language) for token in tokens]
        last_of = list(range(len(spelled)))
        private = self._private(tokens, language)
        numbers = self._numbers(tokens, language, lone=False) if self._digits else []
        for number in private + [n for n in numbers if not _overlaps(n, private)]:
            written[number.start : number.end] = [number.text] + [""] * (number.end - number.start - 1)
            first, last = owners[number.start], owners[number.end - 1]
            last_of[first : last + 1] = [max(last, last_of[last])] * (last + 1 - first)
        texts = [""] * len(spelled)
        for token, owner in zip(written, owners, strict=True):
            texts[owner] += token
        pieces: list[_Piece] = []
        start = 0
        while start < len(spelled):
            end = last_of[start] + 1
            while end < len(spelled) and last_of[end - 1] >= end:
                end = last_of[end - 1] + 1
            pieces.append(_Piece(start, end, "".join(texts[start:end])))
            start = end
        return pieces

    def _in_number(self, spelled: list[str], language: str) -> set[int]:
        """Units that are, or hold, a part of a number."""
        if not (self._digits or self._redact):
            return set()
        tokens, owners = _tokens(spelled)
        found = self._numbers(tokens, language, lone=True) + self._numbers(tokens, language, lone=False)
        return {owner for number in found for owner in owners[number.start : number.end]}

    def _numbers(self, tokens: list[str], language: str, *, lone: bool) -> list[Number]:
        assert self._rules is not None
        return self._rules.numbers(tokens, self._into or language, lone=lone)

    def _private(self, tokens: list[str], language: str) -> list[Number]:
        """What is left out. It is looked for in a text whose spoken numbers are digits."""
        if not self._redact:
            return []
        assert self._rules is not None
        text, begins = self._in_digits(tokens, language)
        found = self._rules.private(text, self._redact, self._into or language)
        return [
            Number(bisect.bisect_right(begins, start) - 1, bisect.bisect_left(begins, end), f"[{kind}]")
            for start, end, kind in found
        ]

    def _in_private(self, spelled: list[str], language: str) -> set[int]:
        """Units that are, or may become, a part of something private."""
        if not self._redact:
            return set()
        tokens, owners = _tokens(spelled)
        found = self._private(tokens, language)
        parts = {owner for span in found for owner in owners[span.start : span.end]}
        return parts | {at for at, unit in enumerate(spelled) if joins(unit) or has_digit(unit)}

    def _certain(self, spelled: list[str], language: str, is_whole: bool) -> list[str]:
        """The units before those that may be the beginning of something private."""
        if is_whole or not self._redact:
            return spelled
        count = self._closed_units(spelled, language)
        if "email" in self._redact and count == len(spelled):
            # An "at" behind it would make the last word an address; what is open before it stays out as well.
            count = self._closed_units(spelled[:-1], language)
        return spelled[:count]

    def _closed_units(self, spelled: list[str], language: str) -> int:
        """How many units stand before the end that may be the beginning of something private."""
        tokens, owners = _tokens(spelled)
        text, begins = self._in_digits(tokens, language)
        begin = open_from(text, self._redact)
        return owners[bisect.bisect_right(begins, begin) - 1] if begin < len(text) else len(spelled)

    def _in_digits(self, tokens: list[str], language: str) -> tuple[str, list[int]]:
        """The text with spoken numbers as digits, and where in it each token begins."""
        written = list(tokens)
        for number in self._numbers(tokens, language, lone=True):
            written[number.start : number.end] = [number.text] + [""] * (number.end - number.start - 1)
        return "".join(written), list(itertools.accumulate(map(len, written), initial=0))

    def _masked(self, token: str, language: str) -> str:
        assert self._rules is not None
        if not token[0].isalpha() or not self._rules.is_profane(token, self._into or language):
            return token
        return token[0] + "*" * (len(token) - 1)


def _tokens(spelled: list[str]) -> tuple[list[str], list[int]]:
    """Words, signs and spaces, and which unit each belongs to."""
    pairs = [(token, owner) for owner, unit in enumerate(spelled) for token in _TOKEN.findall(unit)]
    return [token for token, _ in pairs], [owner for _, owner in pairs]


def _overlaps(number: Number, others: Sequence[Number]) -> bool:
    return any(number.start < other.end and other.start < number.end for other in others)


def _merged(words: tuple[Word, ...], text: str) -> Word:
    if len(words) == 1:
        return replace(words[0], text=text)
    probability = round(sum(word.probability for word in words) / len(words), 4)
    return Word(text=text, start=words[0].start, end=words[-1].end, probability=probability)
