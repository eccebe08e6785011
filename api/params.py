"""Query parameters of a live session, checked. Pure; raises `BadParameter` that names the parameter and
what is allowed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.audio.convert import AudioFormat
from shared.errors import BadParameter
from shared.events import ENCODINGS, NUMERALS, PROFANITY, TASKS, SessionConfig, check_redact
from shared.jobs import TEXT_CHARS_MAX, JobOptions
from shared.languages import (
    AUTO,
    NUMERAL_LANGUAGES,
    PROFANITY_LANGUAGES,
    check_language,
    check_languages,
)
from shared.redis.presence import WorkerPresence

_TRUE: Final = frozenset({"true", "1", "yes", "on", ""})
_FALSE: Final = frozenset({"false", "0", "no", "off"})
_KNOWN: Final = frozenset(
    {
        "sample_rate",
        "encoding",
        "channels",
        "language",
        "task",
        "model",
        "prompt",
        "hotwords",
        "words",
        "partials",
        "languages",
        "endpointing_ms",
        "max_utterance_s",
        "partial_interval_ms",
        "temperature",
        "vad",
        "profanity",
        "numerals",
        "redact",
        "acks",
    }
)
ENDPOINTING_MS: Final = (200, 10_000)
PARTIAL_INTERVAL_MS: Final = (200, 10_000)
MAX_UTTERANCE_S: Final = (5.0, 27.0)
"""An utterance and the margin behind it have to fit into the model's 30 s."""
TEMPERATURE: Final = (0.0, 1.0)
VAD: Final = (0.0, 1.0)
_DECIMAL: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParams:
    """What a client asked for when it connected."""

    sample_rate: int
    encoding: str
    channels: int
    config: SessionConfig
    acks: bool = False
    """Whether this connection says how far audio has arrived."""

    @property
    def audio(self) -> AudioFormat:
        """What this client's audio is."""
        return AudioFormat(self.encoding, self.sample_rate, self.channels)


def parse_stream_params(query: Mapping[str, str]) -> StreamParams:
    """Check all parameters. An unknown one is an error: a misspelt option must not be ignored in silence."""
    for name in query:
        if name not in _KNOWN:
            raise BadParameter(f"unknown parameter {name!r}; known are {', '.join(sorted(_KNOWN))}")
    language, languages = _languages(query)
    config = SessionConfig(
        language=language,
        languages=languages,
        task=_choice(query, "task", TASKS),
        model=query.get("model", ""),
        prompt=_text(query, "prompt"),
        hotwords=_text(query, "hotwords"),
        words=flag(query, "words", default=False),
        partials=flag(query, "partials", default=True),
        endpointing_ms=_whole(query, "endpointing_ms", ENDPOINTING_MS),
        max_utterance_s=_decimal(query, "max_utterance_s", MAX_UTTERANCE_S),
        partial_interval_ms=_whole(query, "partial_interval_ms", PARTIAL_INTERVAL_MS),
        temperature=_decimal(query, "temperature", TEMPERATURE) or 0.0,
        vad=_decimal(query, "vad", VAD),
        profanity=_choice(query, "profanity", PROFANITY),
        numerals=_choice(query, "numerals", NUMERALS),
        redact=check_redact(query.get("redact", "")),
    )
    _check_writing(config)
    params = StreamParams(
        sample_rate=_number(query, "sample_rate", 16_000),
        encoding=_choice(query, "encoding", ENCODINGS),
        channels=_number(query, "channels", 1),
        config=config,
        acks=flag(query, "acks", default=False),
    )
    params.audio.converter()  # knows the bounds of the three
    return params


def check_against_workers(config: SessionConfig, workers: list[WorkerPresence]) -> None:
    """Refuse what no living worker could serve. Says nothing while none lives: one may be on its way."""
    if not workers:
        return
    if config.model and all(w.model != config.model for w in workers):
        models = ", ".join(sorted({w.model for w in workers}))
        raise BadParameter(f"model {config.model!r} is not served here; served: {models}")
    languages = {code for w in workers for code in w.languages}
    for code in (config.language, *config.languages):
        if code not in {AUTO, *languages}:
            raise BadParameter(f"language {code!r} is not known to the model, which knows {_some(languages)}")
    if config.task == "translate" and len(languages) == 1:
        raise BadParameter("task 'translate' needs a multilingual model; this one knows English only")


def check_job(options: JobOptions, workers: list[WorkerPresence]) -> None:
    """The same for a file job."""
    wanted = SessionConfig(
        language=options.language, languages=options.languages, task=options.task, model=options.model
    )
    check_against_workers(wanted, workers)


def check_written(options: JobOptions) -> None:
    """Refuse a way of writing that the job's language does not know."""
    _check_writing(
        SessionConfig(
            language=options.language,
            task=options.task,
            numerals=options.numerals,
            profanity=options.profanity,
        )
    )


def temperature(fields: Mapping[str, str]) -> float:
    """Of a first attempt."""
    return _decimal(fields, "temperature", TEMPERATURE) or 0.0


def _languages(query: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """`language`, and the codes that `auto` chooses among; one alone leaves nothing to choose."""
    language = check_language(query.get("language", AUTO))
    if "languages" not in query:
        return language, ()
    if language != AUTO:
        raise BadParameter("languages is for language=auto: it says what to choose among")
    languages = check_languages(query["languages"])
    return (languages[0], ()) if len(languages) == 1 else (AUTO, languages)


def _check_writing(config: SessionConfig) -> None:
    """Refuse what would change nothing, where that is known: with `auto` it holds for what it holds for."""
    language = "en" if config.task == "translate" else config.language
    if language == AUTO:
        return
    if config.numerals == "digits" and language not in NUMERAL_LANGUAGES:
        raise BadParameter(f"numerals=digits is for {', '.join(sorted(NUMERAL_LANGUAGES))}")
    if config.profanity == "mask" and language not in PROFANITY_LANGUAGES:
        raise BadParameter(f"profanity=mask is for {', '.join(sorted(PROFANITY_LANGUAGES))}")


def _some(languages: set[str]) -> str:
    return ", ".join(sorted(languages)[:8]) + (", …" if len(languages) > 8 else "")


def _choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, allowed[0])
    if value not in allowed:
        raise BadParameter(f"{name} must be one of {', '.join(allowed)}")
    return value


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise BadParameter(f"{name} must be a whole number")
    return int(value)


def _whole(query: Mapping[str, str], name: str, bounds: tuple[int, int]) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    low, high = bounds
    if not (value.isascii() and value.isdigit() and len(value) < 10 and low <= int(value) <= high):
        raise BadParameter(f"{name} must be a whole number from {low} to {high}")
    return int(value)


def _decimal(query: Mapping[str, str], name: str, bounds: tuple[float, float]) -> float | None:
    value = query.get(name)
    if value is None:
        return None
    low, high = bounds
    if not (_DECIMAL.fullmatch(value) and low <= float(value) <= high):
        raise BadParameter(f"{name} must be a number from {low:g} to {high:g}")
    return float(value)


def flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A yes or no."""
    value = query.get(name)
    if value is None:
        return default
    if value.lower() not in _TRUE | _FALSE:
        raise BadParameter(f"{name} must be true or false")
    return value.lower() in _TRUE


def _text(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if len(value) > TEXT_CHARS_MAX:
        raise BadParameter(f"{name} is longer than {TEXT_CHARS_MAX} characters")
    return value
