"""A finished transcript as Deepgram writes it. Pure."""

import struct
import uuid
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from api.deepgram.query import Asked
from api.deepgram.shapes import Frame, Request, alternative, metadata, of_words, text_of, word
from shared.audio.convert import AudioFormat
from shared.events import Word
from shared.transcript import Segment, Transcript, join

_WAVE_FORMATS: Final = {"pcm16": (1, 2), "float32": (3, 4), "alaw": (6, 1), "mulaw": (7, 1)}
"""Format tag and bytes per sample, by encoding."""
_CONTAINERS: Final = (b"RIFF", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"ID3", b"FORM", b"RF64")
_FTYP: Final = slice(4, 8)
_UNTOLD: Final = 0xFFFFFFFF


def answer(
    transcript: Transcript, asked: Asked, request: Request, *, sha256: str, channels: int
) -> dict[str, Any]:
    """The whole answer to a file, which has so many `channels`."""
    heard = _channels(transcript.segments, channels if asked.multichannel else 1)
    about = metadata(request, sha256=sha256, duration=transcript.duration, channels=len(heard))
    if asked.tags:
        about["tags"] = list(asked.tags)
    results: dict[str, Any] = {"channels": [_channel(lines, transcript, asked) for lines in heard]}
    if asked.utterances:
        results["utterances"] = _utterances(heard, asked)
    return {"metadata": about, "results": results}


def wave_header(audio: AudioFormat, beginning: bytes) -> bytes:
    """What makes a file of raw audio; nothing where the file says itself what it is. Its length is left open,
    which readers take for as much as there is."""
    if beginning.startswith(_CONTAINERS) or beginning[_FTYP] == b"ftyp":
        return b""
    tag, width = _WAVE_FORMATS[audio.encoding]
    frame_bytes = width * audio.channels
    layout = struct.pack(
        "<HHIIHH",
        tag,
        audio.channels,
        audio.sample_rate,
        audio.sample_rate * frame_bytes,
        frame_bytes,
        width * 8,
    )
    about = b"fmt " + struct.pack("<I", len(layout)) + layout
    return b"RIFF" + struct.pack("<I", _UNTOLD) + b"WAVE" + about + b"data" + struct.pack("<I", _UNTOLD)


def _channels(segments: Iterable[Segment], count: int) -> list[list[Segment]]:
    """Segments of each channel."""
    lines = list(segments)
    count = max(count, *(1 + (line.channel or 0) for line in lines)) if lines else count
    return [[line for line in lines if (line.channel or 0) == number] for number in range(count)]


def _channel(lines: Sequence[Segment], transcript: Transcript, asked: Asked) -> Frame:
    text = ""
    for line in lines:
        text = join(text, line.text)
    words = _words(lines)
    languages = (transcript.language,) if asked.multi and transcript.language else ()
    found = {"detected_language": transcript.language} if asked.detect_language else {}
    return {**found, "alternatives": [alternative(text, words, 0.0, languages)]}


def _utterances(channels: Sequence[Sequence[Segment]], asked: Asked) -> list[Frame]:
    """Words that no long pause stands between, in the order in which they were said."""
    found: list[dict[str, Any]] = []
    for number, lines in enumerate(channels):
        for words in _spoken(_words(lines), asked.utt_split_s):
            found.append(
                {
                    "start": words[0].start,
                    "end": words[-1].end,
                    "confidence": of_words(words, 0.0),
                    "channel": number,
                    "transcript": text_of(words),
                    "words": [word(item) for item in words],
                    "id": str(uuid.uuid4()),
                }
            )
    return sorted(found, key=lambda utterance: utterance["start"])


def _words(lines: Iterable[Segment]) -> list[Word]:
    return [item for line in lines for item in line.words]


def _spoken(words: Sequence[Word], gap_s: float) -> list[list[Word]]:
    number = 0
    numbers: list[int] = []
    for place, item in enumerate(words):
        number += place > 0 and item.start - words[place - 1].end >= gap_s
        numbers.append(number)
    return [
        [item for _, item in group]
        for _, group in groupby(zip(numbers, words, strict=True), lambda pair: pair[0])
    ]
