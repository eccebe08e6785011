"""Finals put together: the transcript and its place arithmetic. Pure."""

import unicodedata
from dataclasses import dataclass

from shared.events import Word

_UNSPACED = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "FULLWIDTH",
    "IDEOGRAPHIC",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of text as the model wrote it."""

    id: int
    raw: str
    """Its bytes, one character (0 to 255) for each: they may be part of a letter."""
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a finished transcript: one line of a subtitle file. Times in seconds."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0
    """This and the two above are of the decode that the segment came from."""
    temperature: float = 0.0
    """Of that decode."""
    seek: int = 0
    """Where the audio of that decode began, in hundredths of a second."""
    tokens: tuple[Token, ...] = ()
    """What the model wrote, where that was asked for."""
    speaker: str = ""
    """Who speaks, where that is known: `S1`, `S2`, …"""
    channel: int | None = None
    """The channel that was heard, from 0, where channels are decoded by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A whole file's text. `duration` is the audio's length in seconds."""

    language: str
    duration: float
    segments: tuple[Segment, ...]
    task: str = "transcribe"

    @property
    def text(self) -> str:
        """All segments joined."""
        joined = ""
        for segment in self.segments:
            joined = join(joined, segment.text)
        return joined


def separator(before: str, after: str) -> str:
    """What stands between two pieces of text: a space, or nothing in scripts that are written without one."""
    if not before or not after:
        return ""
    return "" if _is_unspaced(before[-1]) and _is_unspaced(after[0]) else " "


def join(before: str, after: str) -> str:
    """`after` put behind `before`."""
    return before + separator(before, after) + after


@dataclass(frozen=True, slots=True)
class Tail:
    """All that is needed of a transcript to say where the next text goes: its length and its end.

    `offset_of(text)` is the `offset` of the protocol: the length of everything before, separator included.
    A client that keeps the finals `t` puts a text behind them with `t.ljust(offset)[:offset] + text`.
    """

    length: int = 0
    last: str = ""

    def offset_of(self, text: str) -> int:
        """Where `text` starts in the transcript."""
        return self.length + len(separator(self.last, text))

    def after(self, text: str) -> "Tail":
        """The tail once `text` has been added for good."""
        return Tail(self.offset_of(text) + len(text), text[-1]) if text else self


def _is_unspaced(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_UNSPACED)
