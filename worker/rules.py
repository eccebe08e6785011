"""What is known about words, from libraries: numbers from text2num, profanity from glin-profanity's lists,
phone numbers from phonenumbers.

Both are imported when they are first needed: most sessions write text as it was heard.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from shared.languages import NUMERAL_LANGUAGES, PROFANITY_LANGUAGES
from worker.core.writing import Number

_LONE_MAX = 3.0
"""Numbers below this stay words where they stand alone: "one of them" is no count."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A word, sign or space as text2num wants it."""

    token: str

    def text(self) -> str:
        return self.token

    def nt_separated(self, previous: "_Token") -> bool:
        return False

    def not_a_number_part(self) -> bool:
        return False


class LibraryRules:
    """See `worker.core.writing.Rules`. One for all sessions of a worker, used from one thread."""

    def numbers(self, tokens: Sequence[str], language: str, *, lone: bool) -> list[Number]:
        """See `Rules.numbers`."""
        if language not in NUMERAL_LANGUAGES:
            return []
        from text_to_num import find_numbers

        threshold = 0.0 if lone else _LONE_MAX
        found: Any = find_numbers([_Token(token) for token in tokens], language, threshold)
        return [Number(int(item.start), int(item.end), str(item.text)) for item in found]

    def private(self, text: str, kinds: Collection[str], language: str) -> list[tuple[int, int, str]]:
        """See `Rules.private`."""
        from worker.private import find_private

        return find_private(text, kinds, language)

    def is_profane(self, word: str, language: str) -> bool:
        """See `Rules.is_profane`."""
        name = PROFANITY_LANGUAGES.get(language)
        return name is not None and bool(_filter(name).is_profane(word))


@cache
def _filter(name: str) -> Any:
    """The filter of one language, bounded by the languages there are. It caches no text."""
    from glin_profanity import Filter

    return Filter(cast(Any, {"languages": [name], "cache_results": False}))
