"""A transcript as OpenAI's audio API writes it. Pure."""

import json
import math
from typing import Any, Final

from starlette.responses import Response

from api.openai.asked import Asked
from shared.formats import to_srt, to_vtt
from shared.languages import LANGUAGES
from shared.transcript import Segment, Token, Transcript, join

_POSITIONS_PER_S: Final = 50
"""Whisper's encoder gives so many positions for a second of audio: they are counted as its audio tokens."""
_LETTERS: Final = 26


def reply(transcript: Transcript, asked: Asked) -> Response:
    """The answer to a request that is not streamed."""
    if asked.format == "text":
        return Response(transcript.text + "\n", media_type="text/plain; charset=utf-8")
    if asked.format == "srt":
        return Response(to_srt(transcript), media_type="text/plain; charset=utf-8")
    if asked.format == "vtt":
        return Response(to_vtt(transcript), media_type="text/vtt; charset=utf-8")
    makers = {"verbose_json": _verbose, "diarized_json": _diarized}
    document = makers.get(asked.format, _plain)(transcript, asked)
    # Without this, a number that is none would be written as NaN, which no client's JSON knows.
    return Response(json.dumps(document, ensure_ascii=False, allow_nan=False), media_type="application/json")


def logprobs(tokens: tuple[Token, ...]) -> list[dict[str, Any]]:
    """Tokens with their log-probabilities."""
    rows: list[dict[str, Any]] = []
    for token in tokens:
        data = token.raw.encode("latin-1")
        text = data.decode("utf-8", "replace")
        rows.append({"token": text, "bytes": list(data), "logprob": token.logprob})
    return rows


def token_usage(transcript_s: float, tokens: int) -> dict[str, Any]:
    """What a stream's last event says was used: encoder positions and written tokens."""
    heard = math.ceil(transcript_s * _POSITIONS_PER_S)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
        "output_tokens": tokens,
        "total_tokens": heard + tokens,
    }


def delta_of(before: str, segment: Segment) -> str:
    """What a segment adds to the text before it."""
    return join(before, segment.text)[len(before) :]


def diarized_segments(transcript: Transcript) -> list[dict[str, Any]]:
    """The segments of `diarized_json`."""
    return [
        {
            "type": "transcript.text.segment",
            "id": segment_id(number),
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "speaker": speaker_name(segment.speaker),
        }
        for number, segment in enumerate(transcript.segments, 1)
    ]


def segment_id(number: int) -> str:
    """The id of a segment, by its number from 1."""
    return f"seg_{number:03d}"


def speaker_name(speaker: str) -> str:
    """`A` for the first speaker, `B` for the second, behind `Z` with a number; one
    that is not known is the first."""
    number = int(speaker[1:] or 1) - 1 if speaker[1:].isdigit() else 0
    return chr(ord("A") + number % _LETTERS) + (str(number // _LETTERS + 1) if number >= _LETTERS else "")


def all_tokens(transcript: Transcript) -> tuple[Token, ...]:
    """The tokens of all segments."""
    return tuple(token for segment in transcript.segments for token in segment.tokens)


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}


def _plain(transcript: Transcript, asked: Asked) -> dict[str, Any]:
    document: dict[str, Any] = {"text": transcript.text, "usage": _usage(transcript)}
    if asked.logprobs:
        document["logprobs"] = logprobs(all_tokens(transcript))
    if transcript.language:
        document["languages"] = [{"code": transcript.language}]
    return document


def _diarized(transcript: Transcript, asked: Asked) -> dict[str, Any]:
    return {
        "task": transcript.task,
        "duration": transcript.duration,
        "text": transcript.text,
        "segments": diarized_segments(transcript),
        "usage": _usage(transcript),
    }


def _verbose(transcript: Transcript, asked: Asked) -> dict[str, Any]:
    translated = transcript.task == "translate"
    language = "en" if translated else transcript.language
    document: dict[str, Any] = {
        "task": transcript.task,
        # Where nobody spoke and no language was asked for, none is known.
        "language": LANGUAGES.get(language, "unknown").lower(),
        "duration": float(transcript.duration),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if asked.segments:
        document["segments"] = _segments(transcript)
    if asked.words:
        words = [word for segment in transcript.segments for word in segment.words]
        document["words"] = [{"word": word.text, "start": word.start, "end": word.end} for word in words]
    if asked.logprobs:
        document["logprobs"] = logprobs(all_tokens(transcript))
    return document


def _segments(transcript: Transcript) -> list[dict[str, Any]]:
    """All ten keys in each: clients check them."""
    rows: list[dict[str, Any]] = []
    before = ""
    for number, segment in enumerate(transcript.segments):
        # The space between two segments belongs to the later one, as in Whisper's own texts.
        text = delta_of(before or "x", segment)
        before = join(before, segment.text)
        rows.append(
            {
                "id": number,
                "seek": segment.seek,
                "start": segment.start,
                "end": segment.end,
                "text": text,
                "tokens": [token.id for token in segment.tokens],
                "temperature": segment.temperature,
                "avg_logprob": segment.avg_logprob,
                "compression_ratio": segment.compression_ratio,
                "no_speech_prob": segment.no_speech_prob,
            }
        )
    return rows
