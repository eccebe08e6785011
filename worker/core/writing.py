"""How text is written for the client: numbers as digits, profanity masked. Only what is said is changed;
decodes go on from the text as it was heard.

Committed text stays as it was written, by construction: `Shown` keeps what was written of the beginning of an
utterance, and only what lies behind it is written anew. Its end is put where what comes can't change what
stands before: behind a whole word that is no part of a number and does not follow one, since "two hundred
and" may go on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from shared.events import SessionConfig, Word
from worker.core.hypothesis import units

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
        self._into = "en" if config.task == "translate" else ""
        self._rules = rules
        if rules is None and (self._digits or self._mask):
            raise ValueError("this session's way of writing needs rules")

    def text(self, shown: Shown, heard: str, language: str) -> str:
        """The whole utterance `heard`, which begins with what was `shown`."""
        behind = self._pieces(units(heard[shown.heard :]), language)
        return shown.text + "".join(piece.text for piece in behind)

    def commit(self, shown: Shown, heard: str, stable: int, language: str) -> Shown:
        """What may be shown for good once the first `stable` characters of `heard` won't change."""
        if self._rules is None or not (self._digits or self._mask):
            return Shown(stable, heard[:stable])
        behind = units(heard[shown.heard :])
        ends = [shown.heard]
        for unit in behind:
            ends.append(ends[-1] + len(unit))
        in_number = self._in_number(behind, language)
        # The last committed word may go on: a decode may put letters behind it.
        whole_words = sum(end <= stable for end in ends[1:]) - 1
        for count in range(whole_words, 0, -1):
            if not in_number & {count - 1, count - 2}:
                pieces = self._pieces(behind, language)
                fresh = "".join(piece.text for piece in pieces if piece.end <= count)
                return Shown(ends[count], shown.text + fresh)
        return shown

    def words(self, words: tuple[Word, ...], language: str) -> tuple[Word, ...]:
        """The words as they are written; those of one number become one."""
        pieces = self._pieces([f" {word.text}" for word in words], language)
        return tuple(_merged(words[p.start : p.end], p.text.strip()) for p in pieces)

    def _pieces(self, spelled: list[str], language: str) -> list[_Piece]:
        """Each unit as it is written; units that share a number are one piece."""
        if self._rules is None or not (self._digits or self._mask):
            return [_Piece(i, i + 1, unit) for i, unit in enumerate(spelled)]
        tokens, owners = _tokens(spelled)
        written = list(tokens)
        if self._mask:
            written = [self._masked(token, language) for token in tokens]
        last_of = list(range(len(spelled)))
        for number in self._numbers(tokens, language, lone=False):
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
        tokens, owners = _tokens(spelled)
        found = self._numbers(tokens, language, lone=True) + self._numbers(tokens, language, lone=False)
        return {owner for number in found for owner in owners[number.start : number.end]}

    def _numbers(self, tokens: list[str], language: str, *, lone: bool) -> list[Number]:
        if self._rules is None or not self._digits:
            return []
        return self._rules.numbers(tokens, self._into or language, lone=lone)

    def _masked(self, token: str, language: str) -> str:
        assert self._rules is not None
        if not token[0].isalpha() or not self._rules.is_profane(token, self._into or language):
            return token
        return token[0] + "*" * (len(token) - 1)


def _tokens(spelled: list[str]) -> tuple[list[str], list[int]]:
    """Words, signs and spaces, and which unit each belongs to."""
    pairs = [(token, owner) for owner, unit in enumerate(spelled) for token in _TOKEN.findall(unit)]
    return [token for token, _ in pairs], [owner for _, owner in pairs]


def _merged(words: tuple[Word, ...], text: str) -> Word:
    if len(words) == 1:
        return replace(words[0], text=text)
    probability = round(sum(word.probability for word in words) / len(words), 4)
    return Word(text=text, start=words[0].start, end=words[-1].end, probability=probability)
