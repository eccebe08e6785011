"""A client's configuration as Steno's own. Pure. docs/compat.md repeats the tables for people."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from api.openai_realtime.commands import Refused
from api.openai_realtime.config import RealtimeConfig, SemanticVad, ServerVad, Transcription
from api.params import ENDPOINTING_MS, check_against_workers
from shared.audio.convert import AudioFormat
from shared.errors import BadParameter, UnknownModel
from shared.events import SessionConfig
from shared.jobs import TEXT_CHARS_MAX
from shared.languages import AUTO, check_language
from shared.redis.presence import WorkerPresence

ModelNames = Callable[[str], str]
"""The model that workers serve for a name that a client gives, empty for whatever they serve. Raises
`UnknownModel`."""

PREFIX_PADDING_MS: Final = 300
"""Audio in front of speech that belongs to its turn; what a client asks for is not followed."""
_EAGERNESS_MS: Final = {"low": 1500, "medium": 800, "auto": 800, "high": 500}
_DELAY_MS: Final = {"minimal": 200, "low": 300, "medium": 500, "high": 1000, "xhigh": 2000}
_THRESHOLDS: Final = (0.1, 0.9)
"""Speech begins at a probability of 0.9 − 0.8 · `vad`."""
_AT: Final = "session.audio.input.transcription"


def native(
    config: RealtimeConfig, names: ModelNames, workers: Sequence[WorkerPresence], *, tenant: str = ""
) -> tuple[SessionConfig, AudioFormat]:
    """The session that serves this configuration. Raises `Refused` for what no worker could serve."""
    transcription = config.transcription or Transcription(model=config.default_model)
    language, languages = _languages(transcription)
    delay = transcription.delay
    asked = SessionConfig(
        language=language,
        languages=languages,
        model=_model(transcription.model, names),
        prompt=transcription.prompt[-TEXT_CHARS_MAX:],
        hotwords=_hotwords(transcription.keywords),
        words=config.logprobs,
        endpointing_ms=silence_ms(config),
        partial_interval_ms=_DELAY_MS[delay] if delay else None,
        vad=_vad(config),
        tenant=tenant,
    )
    try:
        check_against_workers(asked, list(workers))
    except BadParameter as error:
        raise Refused(error.message, param=_AT) from None
    return asked, AudioFormat(config.encoding, config.rate)


def silence_ms(config: RealtimeConfig) -> int | None:
    """The pause that ends a turn, as it is; None when the client ends turns."""
    vad = config.turn_detection
    if vad is None:
        return None
    low, high = ENDPOINTING_MS
    wanted = _EAGERNESS_MS[vad.eagerness] if isinstance(vad, SemanticVad) else vad.silence_duration_ms
    return min(max(wanted, low), high)


def threshold(vad: ServerVad) -> float:
    """The probability from which a frame is speech, as it is."""
    low, high = _THRESHOLDS
    return min(max(vad.threshold, low), high)


def _vad(config: RealtimeConfig) -> float | None:
    vad = config.turn_detection
    if not isinstance(vad, ServerVad):
        return None
    low, high = _THRESHOLDS
    return round((high - threshold(vad)) / (high - low), 4)


def _model(name: str, names: ModelNames) -> str:
    try:
        return names(name)
    except UnknownModel as error:
        raise Refused(error.message, reason="model_not_found", param=f"{_AT}.model") from None


def _languages(transcription: Transcription) -> tuple[str, tuple[str, ...]]:
    """`language`, and the codes to choose among; one alone leaves nothing to choose."""
    languages = tuple(dict.fromkeys(_language(code, "languages") for code in transcription.languages))
    languages = tuple(code for code in languages if code != AUTO)
    if len(languages) == 1:
        return languages[0], ()
    return _language(transcription.language, "language"), languages


def _language(code: str, name: str) -> str:
    """Clients send `en`, and some `en-US` for it."""
    try:
        return check_language(code.replace("_", "-").partition("-")[0] or AUTO)
    except BadParameter as error:
        raise Refused(error.message, param=f"{_AT}.{name}") from None


def _hotwords(keywords: Iterable[str]) -> str:
    """As many of the keywords as there is room for."""
    text = ""
    for keyword in keywords:
        longer = f"{text}, {keyword}" if text else keyword
        if len(longer) > TEXT_CHARS_MAX:
            break
        text = longer
    return text
