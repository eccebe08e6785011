"""What a client configured: one immutable value, and how an update changes it. Pure.

In an update a field that is absent is kept, `null` switches off or resets, and fields that are not known are
ignored: clients of newer versions send more than any server reads, and end their session at an `error`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from api.openai_realtime.commands import Refused, clean

LOGPROBS: Final = "item.input_audio_transcription.logprobs"
DELAYS: Final = ("minimal", "low", "medium", "high", "xhigh")
EAGERNESS: Final = ("auto", "low", "medium", "high")
PCM_RATE: Final = 24_000
G711_RATE: Final = 8_000
_LIVE_MODELS: Final = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""Names of models whose turns the client ends, unless it says otherwise."""
_FORMATS: Final = {
    "audio/pcm": "pcm16",
    "audio/pcmu": "mulaw",
    "audio/pcma": "alaw",
    "pcm16": "pcm16",
    "g711_ulaw": "mulaw",
    "g711_alaw": "alaw",
}
_RATES: Final = (8_000, 96_000)
_INPUT: Final = "session.audio.input"


@dataclass(frozen=True, slots=True)
class ServerVad:
    """Turns end at a pause. `threshold` is the probability from which a frame is speech."""

    threshold: float = 0.5
    silence_duration_ms: int = 500


@dataclass(frozen=True, slots=True)
class SemanticVad:
    """Turns end at a pause whose length is said as a manner."""

    eagerness: str = "auto"


@dataclass(frozen=True, slots=True)
class Unset:
    """The client has said nothing; the model decides."""


TurnDetection = ServerVad | SemanticVad | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """How speech is to be written."""

    model: str
    language: str = ""
    languages: tuple[str, ...] = ()
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    delay: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeConfig:
    """All that a client can set."""

    default_model: str
    """The model of a client that names none."""
    transcription: Transcription | None
    """None: switched off; audio is cut into items that no text comes for."""
    encoding: str = "pcm16"
    rate: int = PCM_RATE
    asked: TurnDetection | Unset = field(default_factory=Unset)
    """Turn detection as the client set it."""
    noise_reduction: str = ""
    """Its kind, kept to be shown; nothing is done with it."""
    include: tuple[str, ...] = ()

    @property
    def turn_detection(self) -> TurnDetection:
        """Turn detection as it is."""
        if not isinstance(self.asked, Unset):
            return self.asked
        model = self.transcription.model if self.transcription else self.default_model
        return None if model.startswith(_LIVE_MODELS) else ServerVad()

    @property
    def logprobs(self) -> bool:
        """Whether the client wants the probabilities of words."""
        return LOGPROBS in self.include


def initial(model: str, *, rate: int = PCM_RATE) -> RealtimeConfig:
    """A new session's configuration."""
    return RealtimeConfig(default_model=model, transcription=Transcription(model=model), rate=rate)


def updated(config: RealtimeConfig, session: Mapping[str, Any]) -> RealtimeConfig:
    """The configuration after an update, in the GA or the beta shape. Raises `Refused`; nothing is changed
    then."""
    if session.get("type") not in (None, "transcription"):
        raise Refused("this server has sessions of type 'transcription' only", param="session.type")
    given = _flat(session)
    if "format" in given:
        config = _format(config, given["format"])
    if "transcription" in given:
        config = replace(config, transcription=_transcription(config, given["transcription"]))
    if "turn_detection" in given:
        config = replace(config, asked=_turn_detection(config, given["turn_detection"]))
    if "noise_reduction" in given:
        config = replace(config, noise_reduction=_noise_reduction(given["noise_reduction"]))
    if "include" in given:
        config = replace(config, include=_strings(given["include"] or (), "session.include"))
    return config


def _flat(session: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, by its GA name."""
    audio = _object(session.get("audio") or {}, "session.audio")
    given = dict(_object(audio.get("input") or {}, _INPUT))
    beta = {
        "input_audio_format": "format",
        "input_audio_transcription": "transcription",
        "input_audio_noise_reduction": "noise_reduction",
        "turn_detection": "turn_detection",
        "include": "include",
    }
    return given | {name: session[flat] for flat, name in beta.items() if flat in session}


def _format(config: RealtimeConfig, given: object) -> RealtimeConfig:
    if given is None:
        return config
    told = {"type": given} if isinstance(given, str) else _object(given, f"{_INPUT}.format")
    encoding = _FORMATS.get(str(told.get("type", "audio/pcm")))
    if encoding is None:
        raise Refused(f"format must be one of {', '.join(_FORMATS)}", param=f"{_INPUT}.format.type")
    if encoding != "pcm16":
        return replace(config, encoding=encoding, rate=G711_RATE)
    rate = told.get("rate")
    if rate is None:
        rate = config.rate if config.encoding == "pcm16" else PCM_RATE
    low, high = _RATES
    if isinstance(rate, bool) or not isinstance(rate, int) or not low <= rate <= high:
        raise Refused(
            f"rate must be a whole number from {low} to {high}; 24000 is usual", param=f"{_INPUT}.format.rate"
        )
    return replace(config, encoding=encoding, rate=rate)


def _transcription(config: RealtimeConfig, given: object) -> Transcription | None:
    if given is None:
        return None
    at = f"{_INPUT}.transcription"
    told = _object(given, at)
    kept = config.transcription or Transcription(model=config.default_model)
    for name in ("model", "language", "prompt", "delay"):
        if name in told:
            kept = replace(kept, **{name: _string(told[name], f"{at}.{name}")})
    for name in ("languages", "keywords"):
        if name in told:
            kept = replace(kept, **{name: _strings(told[name] or (), f"{at}.{name}")})
    # Both say what is spoken; the one that was said last holds.
    if told.get("languages"):
        kept = replace(kept, language="")
    elif told.get("language"):
        kept = replace(kept, languages=())
    if kept.delay not in ("", *DELAYS):
        raise Refused(f"delay must be one of {', '.join(DELAYS)}", param=f"{at}.delay")
    return kept if kept.model else replace(kept, model=config.default_model)


def _noise_reduction(given: object) -> str:
    if given is None:
        return ""
    at = f"{_INPUT}.noise_reduction"
    return _string(_object(given, at).get("type"), f"{at}.type")


def _turn_detection(config: RealtimeConfig, given: object) -> TurnDetection:
    if given is None:
        return None
    at = f"{_INPUT}.turn_detection"
    told = _object(given, at)
    current = config.turn_detection
    kind = told.get("type") or ("semantic_vad" if isinstance(current, SemanticVad) else "server_vad")
    if kind == "server_vad":
        vad = current if isinstance(current, ServerVad) else ServerVad()
        threshold = _number(told.get("threshold"), vad.threshold, 1.0, f"{at}.threshold")
        silence_ms = told.get("silence_duration_ms")
        silence_ms = _number(silence_ms, vad.silence_duration_ms, 1e9, f"{at}.silence_duration_ms")
        return ServerVad(threshold, round(silence_ms))
    if kind == "semantic_vad":
        kept = current.eagerness if isinstance(current, SemanticVad) else EAGERNESS[0]
        eagerness = told.get("eagerness") or kept
        if eagerness not in EAGERNESS:
            raise Refused(f"eagerness must be one of {', '.join(EAGERNESS)}", param=f"{at}.eagerness")
        return SemanticVad(eagerness)
    raise Refused("turn_detection must be server_vad, semantic_vad or null", param=f"{at}.type")


def _object(value: object, param: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{param} must be an object", reason="invalid_type", param=param)
    return cast(dict[str, Any], value)


def _string(value: object, param: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(f"{param} must be a string", reason="invalid_type", param=param)
    return clean(value)


def _strings(value: object, param: str) -> tuple[str, ...]:
    items = cast(Sequence[object], value) if isinstance(value, list | tuple) else None
    if items is None or not all(isinstance(item, str) for item in items):
        raise Refused(f"{param} must be an array of strings", reason="invalid_type", param=param)
    return tuple(clean(item) for item in cast(Sequence[str], items))


def _number(value: object, kept: float, high: float, param: str) -> float:
    if value is None:
        return kept
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        raise Refused(f"{param} must be a number from 0 to {high:g}", param=param)
    return value
