"""How a final is written: commands, then the user's replacements."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import regex

from client.dictation.core.commands import Spoken, obey
from shared.errors import BadParameter

HOTWORDS_MAX = 2000
"""Characters, by the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What the user wants done with what was heard."""

    commands: bool = False
    """Whether spoken commands are obeyed."""
    replacements: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is heard, in any case and as whole words, and what is written for it."""

    def write(self, heard: str, language: str) -> Spoken:
        """The text of an utterance as it is written."""
        spoken = obey(heard, language) if self.commands else Spoken(heard)
        return Spoken(substitute(spoken.text, self.replacements), spoken.takes_back)


def substitute(text: str, replacements: Mapping[str, str]) -> str:
    """Each phrase that is heard replaced, the longest first; what was written for one is not looked at
    again."""
    if not replacements:
        return text
    by_heard = {heard.casefold(): written for heard, written in replacements.items()}
    phrases = "|".join(_whole(heard) for heard in sorted(by_heard, key=len, reverse=True))
    # Matched on the text itself, not on a casefolded copy, whose places can differ.
    pattern = regex.compile(phrases, regex.IGNORECASE | regex.FULLCASE)
    return pattern.sub(lambda match: by_heard.get(match[0].casefold(), match[0]), text)


def _whole(heard: str) -> str:
    """The phrase where no word goes on at its ends. Scripts without spaces have no such ends: CJK matches
    anywhere."""
    before = r"(?<![\p{Latin}\p{Cyrillic}\p{Greek}\p{N}_])" if _is_word(heard[0]) else ""
    behind = r"(?![\p{Latin}\p{Cyrillic}\p{Greek}\p{N}_])" if _is_word(heard[-1]) else ""
    return before + regex.escape(heard) + behind


def _is_word(char: str) -> bool:
    return regex.match(r"[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}]", char) is not None


def hotwords(vocabulary: tuple[str, ...]) -> str:
    """The user's words as the protocol takes them. Raises `BadParameter` when they are too many."""
    joined = ", ".join(word.strip() for word in vocabulary if word.strip())
    if len(joined) > HOTWORDS_MAX:
        raise BadParameter(f"the vocabulary is longer than {HOTWORDS_MAX} characters; leave some words out")
    return joined
