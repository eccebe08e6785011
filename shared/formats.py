"""A transcript as json, verbose_json, srt, vtt, tsv or txt. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import BadParameter
from shared.events import Word
from shared.subtitles import Layout, cues, label, one_line
from shared.transcript import Segment, Transcript, join


@dataclass(frozen=True, slots=True)
class Format:
    """One output format."""

    media_type: str
    render: Callable[[Transcript, Layout], str]


def to_json(transcript: Transcript, _layout: Layout | None = None) -> str:
    """Text, language, duration, and segments with their words if there are any. Times in seconds."""
    document = {
        "text": transcript.text,
        "language": transcript.language,
        "duration": transcript.duration,
        "segments": [segment_map(segment) for segment in transcript.segments],
    }
    return _document(document)


def to_verbose_json(transcript: Transcript, _layout: Layout | None = None) -> str:
    """The fields of OpenAI's `verbose_json` that are known here: also the task, what the decoder thought of
    each segment, and all words in one list."""
    document = {
        "task": transcript.task,
        "language": transcript.language,
        "duration": transcript.duration,
        "text": transcript.text,
        "segments": [_verbose_map(number, segment) for number, segment in enumerate(transcript.segments)],
    }
    words = [word for segment in transcript.segments for word in segment.words]
    if words:
        document["words"] = [{"word": word.text, "start": word.start, "end": word.end} for word in words]
    return _document(document)


def to_srt(transcript: Transcript, layout: Layout | None = None) -> str:
    """SubRip subtitles; a speaker stands before the text."""
    blocks = (
        f"{number}\n{_stamp(cue.start_ms, ',')} --> {_stamp(cue.end_ms, ',')}\n"
        + label(cue.speaker)
        + "\n".join(cue.lines)
        + "\n"
        for number, cue in enumerate(cues(transcript, layout), start=1)
    )
    return "\n".join(blocks)


def to_vtt(transcript: Transcript, layout: Layout | None = None) -> str:
    """WebVTT subtitles; a speaker is the cue's voice."""
    blocks = (
        f"\n{_stamp(cue.start_ms, '.')} --> {_stamp(cue.end_ms, '.')}\n"
        + (f"<v {_escape_vtt(cue.speaker)}>" if cue.speaker else "")
        + "\n".join(map(_escape_vtt, cue.lines))
        + "\n"
        for cue in cues(transcript, layout)
    )
    return "WEBVTT\n" + "".join(blocks)


def to_tsv(transcript: Transcript, _layout: Layout | None = None) -> str:
    """Tab-separated, as Whisper's own command writes it: start and end in milliseconds, text."""
    rows = (
        f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}\t"
        + label(segment.speaker)
        + one_line(segment.text)
        + "\n"
        for segment in transcript.segments
    )
    return "start\tend\ttext\n" + "".join(rows)


def to_txt(transcript: Transcript, _layout: Layout | None = None) -> str:
    """The text alone: one line, or one for each turn of a speaker."""
    return "".join(f"{label(speaker)}{text}\n" for speaker, text in _turns(transcript))


FORMATS: Final[Mapping[str, Format]] = {
    "json": Format("application/json", to_json),
    "verbose_json": Format("application/json", to_verbose_json),
    "srt": Format("application/x-subrip", to_srt),
    "vtt": Format("text/vtt", to_vtt),
    "tsv": Format("text/tab-separated-values", to_tsv),
    "txt": Format("text/plain", to_txt),
}


def format_named(name: str) -> Format:
    """The format of that name. Raises `BadParameter`."""
    if name not in FORMATS:
        raise BadParameter(f"format must be one of {', '.join(FORMATS)}")
    return FORMATS[name]


def segment_map(segment: Segment) -> dict[str, Any]:
    """A segment as `json` shows it."""
    row: dict[str, Any] = {"start": segment.start, "end": segment.end, "text": segment.text}
    if segment.speaker:
        row |= {"speaker": segment.speaker, "channel": segment.channel}
    if segment.words:
        row["words"] = [_word_map(word) for word in segment.words]
    return row


def _verbose_map(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        **segment_map(segment),
        "avg_logprob": segment.avg_logprob,
        "no_speech_prob": segment.no_speech_prob,
        "compression_ratio": segment.compression_ratio,
        "temperature": segment.temperature,
        "seek": segment.seek,
        **({"tokens": [token.id for token in segment.tokens]} if segment.tokens else {}),
    }


def _word_map(word: Word) -> dict[str, Any]:
    return {"text": word.text, "start": word.start, "end": word.end, "probability": word.probability}


def _turns(transcript: Transcript) -> list[tuple[str, str]]:
    """Speaker and text, as long as the speaker is the same."""
    turns: list[tuple[str, str]] = []
    for segment in transcript.segments:
        text = one_line(segment.text)
        if not text:
            continue
        if turns and turns[-1][0] == segment.speaker:
            turns[-1] = (segment.speaker, join(turns[-1][1], text))
        else:
            turns.append((segment.speaker, text))
    return turns


def _document(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _stamp(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{ms:03d}"


def _escape_vtt(text: str) -> str:
    # `-->` inside the text would be taken for a timing line; escaping `>` covers it.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
