"""Query parameters of a live session, checked. Pure; raises `BadParameter` that names the parameter and
what is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.audio.convert import AudioFormat
from shared.errors import BadParameter
from shared.events import ENCODINGS, TASKS, SessionConfig
from shared.jobs import TEXT_CHARS_MAX
from shared.languages import AUTO, check_language
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
        "acks",
    }
)


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
    config = SessionConfig(
        language=check_language(query.get("language", AUTO)),
        task=_choice(query, "task", TASKS),
        model=query.get("model", ""),
        prompt=_text(query, "prompt"),
        hotwords=_text(query, "hotwords"),
        words=flag(query, "words", default=False),
        partials=flag(query, "partials", default=True),
    )
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
    if config.language != AUTO and config.language not in languages:
        raise BadParameter(
            f"language {config.language!r} is not known to the model, which knows {_some(languages)}"
        )
    if config.task == "translate" and len(languages) == 1:
        raise BadParameter("task 'translate' needs a multilingual model; this one knows English only")


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
