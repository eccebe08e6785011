"""Spoken commands: words of an utterance that stand for a new line, a mark, or for taking something back.

Off unless the user wants them: in a text about punctuation or rows they are in the way. The model writes them
as words, with its own punctuation around them, which goes with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LINE: Final = "\n"
_PARAGRAPH: Final = "\n\n"
_SCRATCH: Final = ""
_ENDS: Final = ".!?…"
_MARKS: Final = ",;:" + _ENDS

COMMANDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "new line": _LINE,
        "newline": _LINE,
        "new paragraph": _PARAGRAPH,
        "scratch that": _SCRATCH,
        "full stop": ".",
        "period": ".",
        "comma": ",",
        "question mark": "?",
        "exclamation mark": "!",
        "exclamation point": "!",
        "colon": ":",
        "semicolon": ";",
    },
    "de": {
        "neue zeile": _LINE,
        "neuer absatz": _PARAGRAPH,
        "streich das": _SCRATCH,
        "punkt": ".",
        "komma": ",",
        "fragezeichen": "?",
        "ausrufezeichen": "!",
        "doppelpunkt": ":",
        "semikolon": ";",
        "strichpunkt": ";",
    },
    "fr": {
        "nouvelle ligne": _LINE,
        "à la ligne": _LINE,
        "nouveau paragraphe": _PARAGRAPH,
        "efface ça": _SCRATCH,
        "point": ".",
        "virgule": ",",
        "point d'interrogation": " ?",
        "point d'exclamation": " !",
        "deux points": " :",
        "point virgule": " ;",
    },
    "es": {
        "nueva línea": _LINE,
        "nuevo párrafo": _PARAGRAPH,
        "borra eso": _SCRATCH,
        "punto": ".",
        "coma": ",",
        "signo de interrogación": "?",
        "signo de exclamación": "!",
        "dos puntos": ":",
        "punto y coma": ";",
    },
}
"""By language: what is said, in lower case, and what is written for it."""
_WORDS_MAX: Final = max(len(phrase.split()) for table in COMMANDS.values() for phrase in table)


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance with its commands carried out."""

    text: str
    takes_back: bool = False
    """It began by taking back the utterance before it."""


def obey(text: str, language: str) -> Spoken:
    """The utterance with its commands carried out; itself in a language that has none here."""
    table = COMMANDS.get(language)
    if table is None:
        return Spoken(text)
    words = text.split()
    written, takes_back, at = "", False, 0
    while at < len(words):
        length, command = _command_at(words, at, table)
        if command is None:
            written = _put(written, words[at])
        elif command != _SCRATCH:
            written = written.rstrip(_MARKS if command.strip() else ",") + command
        elif at + length == len(words):
            takes_back, written = not written, ""
        else:  # in the middle of a sentence it is talk
            written = _put(written, " ".join(words[at : at + length]))
        at += length
    return Spoken(written, takes_back)


def _command_at(words: list[str], at: int, table: Mapping[str, str]) -> tuple[int, str | None]:
    for length in range(min(_WORDS_MAX, len(words) - at), 0, -1):
        phrase = " ".join(_bare(word) for word in words[at : at + length])
        if phrase in table:
            return length, table[phrase]
    return 1, None


def _put(written: str, word: str) -> str:
    if not written:
        return word
    if written[-1] == "\n":
        return written + word[0].upper() + word[1:]
    begins = written[-1] in _ENDS and word[0].islower()
    return f"{written} {word[0].upper() + word[1:] if begins else word}"


def _bare(word: str) -> str:
    return word.casefold().replace("’", "'").strip(_MARKS + "-")
