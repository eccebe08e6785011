"""What a transcription request asks for: the fields of the form or of the JSON object. Pure."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import BadParameter
from shared.jobs import INTERACTIVE, TEXT_CHARS_MAX, JobOptions
from shared.languages import AUTO, LANGUAGES

FORMATS: Final = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
GRANULARITIES: Final = ("segment", "word")
KNOWN: Final = (
    "model",
    "language",
    "languages",
    "keywords",
    "prompt",
    "response_format",
    "temperature",
    "timestamp_granularities",
    "include",
    "stream",
)
FIELDS: Final = (*KNOWN, *(f"{name}[]" for name in KNOWN))
"""As they are called on the wire: lists have brackets in the official clients, and not in others. What is not
here is ignored."""

_OTHER_CODES: Final[Mapping[str, str]] = {"jv": "jw", "nb": "no", "iw": "he", "fil": "tl", "cmn": "zh"}
_BY_NAME: Final = {name.lower(): code for code, name in LANGUAGES.items()}
_TRUE: Final = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    task: str
    model: str = ""
    language: str = AUTO
    languages: tuple[str, ...] = ()
    hotwords: str = ""
    prompt: str = ""
    format: str = "json"
    temperature: float = 0.0
    granularities: tuple[str, ...] = ("segment",)
    logprobs: bool = False
    stream: bool = False

    @property
    def words(self) -> bool:
        """Whether words with times are wanted."""
        return self.format == "verbose_json" and "word" in self.granularities

    @property
    def segments(self) -> bool:
        """Whether segments are wanted."""
        return "segment" in self.granularities

    def options(self, model: str, *, priority: str = INTERACTIVE) -> JobOptions:
        """The job for it. `model` is the one that must decode. Raises `BadParameter`."""
        return JobOptions(
            task=self.task,
            model=model,
            language=self.language,
            languages=self.languages,
            prompt=self.prompt,
            hotwords=self.hotwords,
            temperature=self.temperature,
            words=self.words,
            diarize=self.format == "diarized_json",
            tokens=self.stream or self.logprobs or self.format == "verbose_json",
            priority=priority,
        )


def parse(items: Iterable[tuple[str, str]], task: str) -> Asked:
    """What the fields ask for. Raises `BadParameter` that names the field."""
    fields: dict[str, list[str]] = {}
    for name, value in items:
        fields.setdefault(name.removesuffix("[]"), []).append(value)
    last = {name: values[-1].strip() for name, values in fields.items()}
    language = language_code(last.get("language", ""))
    languages = tuple(dict.fromkeys(language_code(code) for code in fields.get("languages", ()) if code))
    if language == AUTO and len(languages) == 1:
        language, languages = languages[0], ()
    return Asked(
        task=task,
        model=last.get("model", ""),
        language=language,
        languages=tuple(code for code in languages if code != AUTO) if language == AUTO else (),
        hotwords=_joined(fields.get("keywords", ())),
        # The end of it is what the model reads.
        prompt=last.get("prompt", "")[-TEXT_CHARS_MAX:],
        format=_one_of("response_format", last.get("response_format") or FORMATS[0], FORMATS),
        temperature=_temperature(last.get("temperature", "")),
        granularities=tuple(
            _one_of("timestamp_granularities", value, GRANULARITIES)
            for value in fields.get("timestamp_granularities", GRANULARITIES[:1])
        ),
        logprobs="logprobs" in fields.get("include", ()),
        stream=last.get("stream", "").lower() in _TRUE,
    )


def language_code(tag: str) -> str:
    """Whisper's code for a language tag such as `en-US`, or an English name; `auto` for none. Raises
    `BadParameter`."""
    text = tag.strip().lower()
    code = re.split("[-_]", text)[0]
    code = _OTHER_CODES.get(code, _BY_NAME.get(text, code))
    if not code or code == AUTO:
        return AUTO
    if code not in LANGUAGES:
        raise BadParameter("language must be an ISO-639-1 code such as en or de", param="language")
    return code


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise BadParameter(f"{name} must be one of {', '.join(allowed)}", param=name)
    return value


def _temperature(text: str) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise BadParameter("temperature must be a number from 0 to 1", param="temperature")
    return value


def _joined(keywords: Iterable[str]) -> str:
    """As many of them as the model may be given."""
    text = ""
    for keyword in filter(None, (word.strip() for word in keywords)):
        longer = f"{text}, {keyword}" if text else keyword
        if len(longer) > TEXT_CHARS_MAX:
            break
        text = longer
    return text
