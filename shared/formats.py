"""A transcript as json, srt, vtt or txt. Pure.

Subtitles follow the usual craft: at most two lines of 42 characters on screen, cut at word times. A segment
without words stays one cue, because any time inside it would be invented.
"""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import BadParameter
from shared.events import Word
from shared.transcript import Segment, Transcript, join

LINE_CHARS_MAX: Final = 42
CUE_LINES_MAX: Final = 2
CUE_S_MAX: Final = 7.0
"""Longer than this, and a reader starts again from the top."""
CUE_GAP_S: Final = 1.5
"""A pause of this length ends a cue: the text should not stay through it."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands on screen from `start_ms` to `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One output format."""

    media_type: str
    render: Callable[[Transcript], str]


def to_json(transcript: Transcript) -> str:
    """Text, language, duration, and segments with their words if there are any. Times in seconds."""
    document = {
        "text": transcript.text,
        "language": transcript.language,
        "duration": transcript.duration,
        "segments": [_segment_map(segment) for segment in transcript.segments],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def to_srt(transcript: Transcript) -> str:
    """SubRip subtitles."""
    blocks = (
        f"{number}\n{_stamp(cue.start_ms, ',')} --> {_stamp(cue.end_ms, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues(transcript), start=1)
    )
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT subtitles."""
    blocks = (
        f"\n{_stamp(cue.start_ms, '.')} --> {_stamp(cue.end_ms, '.')}\n"
        + "\n".join(map(_escape_vtt, cue.lines))
        + "\n"
        for cue in cues(transcript)
    )
    return "WEBVTT\n" + "".join(blocks)


def to_txt(transcript: Transcript) -> str:
    """The text alone, as one line."""
    text = _one_line(transcript.text)
    return f"{text}\n" if text else ""


FORMATS: Final[Mapping[str, Format]] = {
    "json": Format("application/json", to_json),
    "srt": Format("application/x-subrip", to_srt),
    "vtt": Format("text/vtt", to_vtt),
    "txt": Format("text/plain", to_txt),
}


def format_named(name: str) -> Format:
    """The format of that name. Raises `BadParameter`."""
    if name not in FORMATS:
        raise BadParameter(f"format must be one of {', '.join(FORMATS)}")
    return FORMATS[name]


def cues(transcript: Transcript) -> list[Cue]:
    """The transcript as cues: in order, none empty, none overlapping the next."""
    placed: list[Cue] = []
    before_ms = 0
    for segment in transcript.segments:
        for start, end, text in _pieces(segment):
            if not text:
                continue
            start_ms = max(round(start * 1000), before_ms)
            before_ms = max(round(end * 1000), start_ms + 1)
            placed.append(Cue(start_ms, before_ms, _lines(text)))
    return placed


def _pieces(segment: Segment) -> Iterator[tuple[float, float, str]]:
    """The segment cut at word times; whole when it has no words, or words that are not its text."""
    text = _one_line(segment.text)
    if _letters(_joined(segment.words)) != _letters(text):
        yield segment.start, segment.end, text
        return
    group: list[Word] = []
    for word in segment.words:
        if group and not _fits(group, word):
            yield group[0].start, group[-1].end, _joined(group)
            group = []
        group.append(word)
    if group:
        yield group[0].start, group[-1].end, _joined(group)


def _fits(group: Sequence[Word], word: Word) -> bool:
    """Whether `word` may stand in the same cue as the words before it."""
    if word.start - group[-1].end >= CUE_GAP_S or word.end - group[0].start > CUE_S_MAX:
        return False
    return len(_wrap(_joined([*group, word]), LINE_CHARS_MAX)) <= CUE_LINES_MAX


def _lines(text: str) -> tuple[str, ...]:
    """The text in lines; two lines of about the same length rather than a full and a short one."""
    lines = _wrap(text, LINE_CHARS_MAX)
    if len(lines) == CUE_LINES_MAX:
        for width in range((len(text) + 1) // 2, LINE_CHARS_MAX):
            balanced = _wrap(text, width)
            if len(balanced) == CUE_LINES_MAX:
                return tuple(balanced)
    return tuple(lines)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _joined(words: Sequence[Word]) -> str:
    text = ""
    for word in words:
        text = join(text, _one_line(word.text))
    return text


def _one_line(text: str) -> str:
    # A line break of any kind inside a cue would end it.
    return " ".join(text.split())


def _letters(text: str) -> str:
    return "".join(text.split())


def _stamp(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{ms:03d}"


def _escape_vtt(text: str) -> str:
    # `-->` inside the text would be taken for a timing line; escaping `>` covers it.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _segment_map(segment: Segment) -> dict[str, Any]:
    row: dict[str, Any] = {"start": segment.start, "end": segment.end, "text": segment.text}
    if segment.words:
        row["words"] = [
            {"text": word.text, "start": word.start, "end": word.end, "probability": word.probability}
            for word in segment.words
        ]
    return row
