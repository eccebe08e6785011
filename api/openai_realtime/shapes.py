"""The JSON objects that a client reads. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from api.openai_realtime.config import RealtimeConfig, SemanticVad, Transcription
from api.openai_realtime.native import PREFIX_PADDING_MS, silence_ms, threshold

Frame = dict[str, Any]
"""A server event, or an object in one."""

_GA_FORMATS: Final = {"pcm16": "audio/pcm", "mulaw": "audio/pcmu", "alaw": "audio/pcma"}
_BETA_FORMATS: Final = {"pcm16": "pcm16", "mulaw": "g711_ulaw", "alaw": "g711_alaw"}


class Frames:
    """Server events with ids of their own; `mark` is what tells this connection's ids from others'."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._count = 0

    def make(self, kind: str, **fields: Any) -> Frame:
        """An event of a type."""
        self._count += 1
        return {"type": kind, "event_id": f"event_{self._mark}_{self._count}", **fields}


def session_object(ident: str, config: RealtimeConfig, *, expires_at: int, is_beta: bool) -> Frame:
    """The session as it is in effect: what was clamped is shown clamped."""
    head: Frame = {"id": ident, "object": "realtime.transcription_session"}
    if is_beta:
        return {
            **head,
            "expires_at": expires_at,
            "input_audio_format": _BETA_FORMATS[config.encoding],
            "input_audio_transcription": _transcription(config.transcription),
            "turn_detection": _turn_detection(config),
            "input_audio_noise_reduction": _noise_reduction(config),
            "include": list(config.include),
            "client_secret": None,
        }
    audio_input = {
        "format": _format(config),
        "transcription": _transcription(config.transcription),
        "turn_detection": _turn_detection(config),
        "noise_reduction": _noise_reduction(config),
    }
    return {
        **head,
        "type": "transcription",
        "expires_at": expires_at,
        "audio": {"input": audio_input},
        "include": list(config.include),
    }


def item_object(ident: str) -> Frame:
    """A committed item; its text is in events of its own."""
    return {
        "id": ident,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }


def error_object(
    kind: str, code: str, message: str, *, param: str = "", event_id: str | None = None
) -> Frame:
    """The `error` of an `error` event."""
    return {"type": kind, "code": code, "message": message, "param": param or None, "event_id": event_id}


def _format(config: RealtimeConfig) -> Frame:
    named: Frame = {"type": _GA_FORMATS[config.encoding]}
    return named | {"rate": config.rate} if config.encoding == "pcm16" else named


def _noise_reduction(config: RealtimeConfig) -> Frame | None:
    return {"type": config.noise_reduction} if config.noise_reduction else None


def _transcription(transcription: Transcription | None) -> Frame | None:
    if transcription is None:
        return None
    optional: Mapping[str, Any] = {
        "language": transcription.language,
        "languages": list(transcription.languages),
        "prompt": transcription.prompt,
        "keywords": list(transcription.keywords),
        "delay": transcription.delay,
    }
    return {"model": transcription.model} | {name: value for name, value in optional.items() if value}


def _turn_detection(config: RealtimeConfig) -> Frame | None:
    vad = config.turn_detection
    if vad is None:
        return None
    if isinstance(vad, SemanticVad):
        return {"type": "semantic_vad", "eagerness": vad.eagerness}
    return {
        "type": "server_vad",
        "threshold": round(threshold(vad), 4),
        "prefix_padding_ms": PREFIX_PADDING_MS,
        "silence_duration_ms": silence_ms(config),
    }
