"""The query of `/v1/listen`, live and for files, as what is to be done. Pure; raises `BadParameter`.

Deepgram's clients send every value as a string, lists as repeated keys, and booleans in any case. What is not
known is ignored, as there; what is known and not done here is named in `Asked.ignored`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.params import ENDPOINTING_MS
from shared.audio.convert import AudioFormat
from shared.errors import BadParameter
from shared.events import SessionConfig, check_redact
from shared.jobs import MIX, SPLIT, TEXT_CHARS_MAX, JobOptions
from shared.languages import AUTO, LANGUAGES, NUMERAL_LANGUAGES, PROFANITY_LANGUAGES
from shared.redis.presence import WorkerPresence

ENCODINGS: Final[Mapping[str, str]] = {
    "linear16": "pcm16",
    "linear32": "float32",
    "mulaw": "mulaw",
    "alaw": "alaw",
}
"""Raw encodings by Deepgram's name, with ours."""
OPUS: Final = "opus"
"""Opus packets, one in each message; or in Ogg or WebM, as its first bytes tell."""
CODED: Final = (OPUS, "ogg-opus", "flac", "amr-nb", "amr-wb", "speex")
"""Encodings that say themselves what they are, so that their rate and channels need not be told."""
_MULTI: Final = "multi"
_ALIASES: Final[Mapping[str, str]] = {
    "cmn": "zh",
    "fil": "tl",
    "iw": "he",
    "jv": "jw",
    "nb": "no",
}
"""Language codes that Whisper has under another name."""
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})
_BOOST: Final = re.compile(r":(-?)[0-9]+(\.[0-9]+)?$")
_REDACT: Final[Mapping[str, str]] = {
    "pci": "card",
    "credit_card": "card",
    "email_address": "email",
    "phone_number": "phone",
}
"""What Deepgram's clients may have left out, with our words."""
_UTTERANCE_END_MS: Final = (1000, 5000)
_UTT_SPLIT_S: Final = 0.8
_IGNORED: Final = (
    "callback",
    "callback_method",
    "custom_intent",
    "custom_topic",
    "detect_entities",
    "diarize",
    "diarize_model",
    "diarize_version",
    "dictation",
    "extra",
    "filler_words",
    "intents",
    "measurements",
    "mip_opt_out",
    "no_delay",
    "paragraphs",
    "replace",
    "search",
    "sentiment",
    "summarize",
    "tier",
    "topics",
    "version",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client of `/v1/listen` wants."""

    audio: AudioFormat | None
    """What raw audio is; None: the audio says itself what it is."""
    encoding: str = ""
    """Deepgram's name of the encoding, empty when none was given."""
    model: str = ""
    """The model's name as the client gave it, which may be one that is not served here."""
    config: SessionConfig
    multichannel: bool = False
    """Whether each channel is heard by itself."""
    interim_results: bool = False
    vad_events: bool = False
    utterance_end_s: float | None = None
    multi: bool = False
    """Whether answers name the languages that were heard."""
    detect_language: bool = False
    utterances: bool = False
    utt_split_s: float = _UTT_SPLIT_S
    keyterms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """What was asked for and is not done here."""

    def job(self, model: str) -> JobOptions:
        """The same for a file. `model` is the one that must decode, empty for any."""
        return JobOptions(
            language=self.config.language,
            languages=self.config.languages,
            model=model,
            hotwords=self.config.hotwords,
            words=True,
            numerals=self.config.numerals,
            profanity=self.config.profanity,
            redact=self.config.redact,
            channels=SPLIT if self.multichannel else MIX,
            priority="interactive",
        )


def parse(items: Iterable[tuple[str, str]], *, live: bool) -> Asked:
    """Read a query. Raises `BadParameter` for a wrong value; `live` for what a stream must say and a file
    need not."""
    query = _Query(items)
    language, languages, multi = _languages(query)
    interim = query.flag("interim_results")
    keyterms = (*query.all("keyterm"), *_keywords(query.all("keywords")))
    return Asked(
        audio=_audio(query, live=live),
        encoding=query.text("encoding").lower(),
        model=query.text("model"),
        config=SessionConfig(
            language=language,
            languages=languages,
            hotwords=_hotwords(keyterms),
            words=True,
            partials=interim,
            endpointing_ms=_endpointing_ms(query),
            numerals=_numerals(query, language),
            profanity=_profanity(query, language),
            redact=_redact(query),
        ),
        multichannel=query.flag("multichannel"),
        interim_results=interim,
        vad_events=query.flag("vad_events"),
        utterance_end_s=_utterance_end_s(query),
        multi=multi,
        detect_language=query.is_on("detect_language"),
        utterances=query.flag("utterances"),
        utt_split_s=query.decimal("utt_split", _UTT_SPLIT_S),
        keyterms=keyterms,
        tags=query.all("tag"),
        ignored=tuple(name for name in _IGNORED if query.is_on(name)),
    )


def model_of(asked: Asked, workers: Sequence[WorkerPresence]) -> str:
    """The model that must decode: the one that was asked for where it is served, else whatever is. Deepgram's
    own models are in no client's choice here."""
    return asked.model if any(worker.model == asked.model for worker in workers) else ""


def language_code(tag: str) -> str:
    """Whisper's code for a language tag such as `en-US`. Raises `BadParameter`."""
    code = re.split("[-_]", tag.strip().lower())[0]
    code = _ALIASES.get(code, code)
    if code not in LANGUAGES:
        raise BadParameter("language must be a language tag such as en, en-US or de, or multi")
    return code


class _Query:
    """The values of each name, in their order."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in items:
            self._values.setdefault(name, []).append(value)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for value in self._values.get(name, ()) if value.strip())

    def text(self, name: str) -> str:
        return next(iter(self.all(name)), "").strip()

    def is_on(self, name: str) -> bool:
        """Whether anything is asked for by this name."""
        return any(value.lower() not in _FALSE for value in self.all(name))

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value and value not in _TRUE | _FALSE:
            raise BadParameter(f"{name} must be true or false")
        return value in _TRUE

    def whole(self, name: str, default: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 8):
            raise BadParameter(f"{name} must be a whole number")
        return int(value)

    def decimal(self, name: str, default: float) -> float:
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value):
            raise BadParameter(f"{name} must be a number")
        return float(value)


def _audio(query: _Query, *, live: bool) -> AudioFormat | None:
    """What raw audio is; None where an encoding says so itself, or none is given."""
    encoding = query.text("encoding").lower()
    if not encoding or encoding in CODED:
        return None
    if encoding not in ENCODINGS:
        raise BadParameter(f"encoding must be one of {', '.join((*ENCODINGS, *CODED))}")
    if not query.text("sample_rate"):
        if not live:
            return None
        raise BadParameter("sample_rate is needed with a raw encoding")
    audio = AudioFormat(ENCODINGS[encoding], query.whole("sample_rate", 0), query.whole("channels", 1))
    audio.converter()  # knows the bounds
    return audio


def _languages(query: _Query) -> tuple[str, tuple[str, ...], bool]:
    """Language, what `auto` chooses among, and whether answers name what was heard. As there, it is English
    unless another is asked for."""
    if query.is_on("detect_language"):
        among = [value for value in query.all("detect_language") if value.lower() not in _TRUE | _FALSE]
        return *_among(among), False
    language = query.text("language")
    if language.lower() == _MULTI:
        return *_among(query.all("language_hint")), True
    return (language_code(language) if language else "en"), (), False


def _among(tags: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    codes = tuple(dict.fromkeys(language_code(tag) for value in tags for tag in value.split(",")))
    return (codes[0], ()) if len(codes) == 1 else (AUTO, codes)


def _keywords(values: Sequence[str]) -> tuple[str, ...]:
    """Terms of `term:boost`; one that is to be heard less often can't be asked for here."""
    found: list[str] = []
    for value in values:
        boost = _BOOST.search(value)
        if boost is None:
            found.append(value)
        elif not boost[1]:
            found.append(value[: boost.start()])
    return tuple(found)


def _hotwords(keyterms: Sequence[str]) -> str:
    text = ", ".join(dict.fromkeys(term.strip() for term in keyterms))
    if len(text) > TEXT_CHARS_MAX:
        raise BadParameter(f"keyterm and keywords are longer than {TEXT_CHARS_MAX} characters together")
    return text


def _endpointing_ms(query: _Query) -> int | None:
    """Silence that ends an utterance. Deepgram's few milliseconds would cut words for a model that hears
    phrases, so what is below our least is our least."""
    value = query.text("endpointing").lower()
    if not value or value == "true":
        return None
    low, high = ENDPOINTING_MS
    if value == "false":
        return high
    return min(high, max(low, query.whole("endpointing", low)))


def _utterance_end_s(query: _Query) -> float | None:
    if not query.is_on("utterance_end_ms"):
        return None
    low, high = _UTTERANCE_END_MS
    value = query.whole("utterance_end_ms", low)
    if not low <= value <= high:
        raise BadParameter(f"utterance_end_ms must be from {low} to {high}")
    return value / 1000


def _redact(query: _Query) -> tuple[str, ...]:
    """What is to be left out. What can't be is refused and not ignored: the text would hand out, unnoticed,
    just what somebody wants nobody to read."""
    asked = [value.lower() for text in query.all("redact") for value in text.split(",")]
    asked = [value for value in asked if value not in _FALSE]
    if unknown := [value for value in asked if value not in _REDACT]:
        known = ", ".join(_REDACT)
        raise BadParameter(
            f"redact={unknown[0][:50]} is not done here: redact the text where it is used, or ask for {known}"
        )
    return check_redact(",".join(_REDACT[value] for value in asked))


def _numerals(query: _Query, language: str) -> str:
    """As asked where it can be done, else as the model writes: a client can't know the languages."""
    asked = query.flag("numerals") or query.flag("smart_format")
    return "digits" if asked and language in {AUTO, *NUMERAL_LANGUAGES} else "auto"


def _profanity(query: _Query, language: str) -> str:
    asked = query.flag("profanity_filter")
    return "mask" if asked and language in {AUTO, *PROFANITY_LANGUAGES} else "keep"
