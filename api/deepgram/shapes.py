"""The JSON of Deepgram's answers, piece by piece.

Its clients read fields without asking whether they are there, and take a shape that lacks one for another
shape: every field here is in every answer.
"""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.own_version import own_version
from shared.events import Word
from shared.transcript import join

Frame = Mapping[str, Any]
_CONFIDENCE_MIN: Final = 0.0001
"""Clients take a transcript with no confidence at all for noise."""
_MODELS: Final = uuid.UUID("6f0c0f0e-4f0a-5c58-9a3b-0e5d6b1f2a77")
"""Namespace of the ids that stand for models: they have none of their own."""
_TRANSACTION_KEY: Final = "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What all answers to one request say about it."""

    id: str
    created: str
    """RFC 3339, UTC."""
    model: str = ""
    """Name of the model that hears, empty while it is not known."""

    @property
    def model_uuid(self) -> str:
        """An id for the model: the same for the same name."""
        return str(uuid.uuid5(_MODELS, self.model))

    @property
    def model_info(self) -> Frame:
        """The model."""
        return {"name": self.model or "whisper", "version": own_version() or "0", "arch": "whisper"}

    @property
    def of_results(self) -> Frame:
        """`metadata` of live results."""
        return {"request_id": self.id, "model_uuid": self.model_uuid, "model_info": self.model_info}


def new_request() -> Request:
    """A request that comes in now."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Request(id=str(uuid.uuid4()), created=now)


def metadata(request: Request, *, sha256: str, duration: float, channels: int) -> dict[str, Any]:
    """What is said of all audio of a request."""
    return {
        "transaction_key": _TRANSACTION_KEY,
        "request_id": request.id,
        "sha256": sha256,
        "created": request.created,
        "duration": round(duration, 3),
        "channels": channels,
        "models": [request.model_uuid],
        "model_info": {request.model_uuid: request.model_info},
    }


def alternative(
    text: str, words: Sequence[Word], confidence: float, languages: Sequence[str] = ()
) -> dict[str, Any]:
    """One reading of what was said; there is never a second. `confidence` is of the whole text, and counts
    where there are no words; `languages` are named where the client asked for that."""
    language = languages[0] if len(languages) == 1 else ""
    named = {"languages": list(languages)} if languages else {}
    return {
        "transcript": text,
        "confidence": of_words(words, confidence) if text else 0.0,
        "words": [word(item, language) for item in words] if text else [],
        **named,
    }


def word(item: Word, language: str = "") -> dict[str, Any]:
    """One word. Deepgram gives it bare and as it is written."""
    return {
        "word": bare(item.text),
        "start": item.start,
        "end": item.end,
        "confidence": _confidence(item.probability),
        "punctuated_word": item.text,
        **({"language": language} if language else {}),
    }


def bare(text: str) -> str:
    """A word in small letters, without the signs around it."""
    inner = text.lower()
    while inner and not inner[0].isalnum():
        inner = inner[1:]
    while inner and not inner[-1].isalnum():
        inner = inner[:-1]
    return inner or text.lower()


def of_words(words: Sequence[Word], otherwise: float) -> float:
    """Confidence in a text: that of its words, on average."""
    if not words:
        return _confidence(otherwise)
    return _confidence(sum(item.probability for item in words) / len(words))


def text_of(words: Iterable[Word]) -> str:
    """Words as a text."""
    text = ""
    for item in words:
        text = join(text, item.text)
    return text


def dumps(frame: Frame) -> str:
    """A frame as it is sent."""
    return json.dumps(frame, ensure_ascii=False, allow_nan=False)


def _confidence(value: float) -> float:
    return min(1.0, max(_CONFIDENCE_MIN, round(value, 4)))
