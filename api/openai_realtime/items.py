"""Items: stretches of audio that a client gets a transcript of. Pure.

An item may be made of several utterances. What was said of it in deltas is never taken back: deltas are cut
from text that is committed, and utterances are joined as the transcript joins them.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from api.openai_realtime.config import RealtimeConfig
from api.openai_realtime.shapes import Frame, Frames, item_object
from shared.events import Final, Partial
from shared.transcript import join, separator

_PROBABILITY_MIN = 1e-6
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


@dataclass(slots=True)
class Item:
    """One item."""

    id: str
    said: str = ""
    """All deltas so far."""
    finals: str = ""
    """The utterances that are over, joined."""
    audio_ms: float = 0.0
    """How much audio it is."""
    languages: dict[str, None] = field(default_factory=dict[str, None])
    """Languages that were heard, in order."""
    logprobs: list[Frame] = field(default_factory=list[Frame])
    is_committed: bool = False
    is_dropped: bool = False
    """Cleared: nothing more is said of it."""


class Book:
    """The items of a connection, in the order of their commits, and the events that speak of them."""

    def __init__(self, frames: Frames, mark: str) -> None:
        self._frames = frames
        self._mark = mark
        self._made = 0
        self._last: str | None = None
        self.is_beta = False
        self.is_written = True
        """Whether the client wants text at all."""
        self.has_logprobs = False
        self.taken_ms = 0.0
        """All audio before this has been committed or cleared."""

    def follow(self, config: RealtimeConfig) -> None:
        """Say what this configuration asks for."""
        self.is_written, self.has_logprobs = config.transcription is not None, config.logprobs

    def make(self) -> Item:
        """A new item."""
        self._made += 1
        return Item(f"item_{self._mark}_{self._made}")

    def started(self, item: Item, at_ms: float) -> Frame:
        """A turn begins."""
        kind = "input_audio_buffer.speech_started"
        return self._frames.make(kind, item_id=item.id, audio_start_ms=round(at_ms))

    def stopped(self, item: Item, at_ms: float) -> Frame:
        """A turn is over."""
        kind = "input_audio_buffer.speech_stopped"
        return self._frames.make(kind, item_id=item.id, audio_end_ms=round(at_ms))

    def committed(self, item: Item) -> list[Frame]:
        """The item's audio is complete, and the item is in the conversation."""
        item.is_committed = True
        before, self._last = self._last, item.id
        make, shown = self._frames.make, item_object(item.id)
        frames = [make("input_audio_buffer.committed", item_id=item.id, previous_item_id=before)]
        kinds = ("created",) if self.is_beta else ("added", "done")
        return frames + [
            make(f"conversation.item.{kind}", previous_item_id=before, item=shown) for kind in kinds
        ]

    def heard(self, item: Item, event: Partial) -> list[Frame]:
        """What is certain of an utterance that is not over."""
        return self._delta(item, event, event.committed) if event.committed else []

    def finished(self, item: Item, event: Final) -> list[Frame]:
        """The text of an utterance that is over."""
        if not event.text:
            return []
        if event.language:
            item.languages[event.language] = None
        frames = self._delta(item, event, len(event.text))
        item.logprobs += _logprobs(event, 0, len(event.text), separator(item.finals, event.text))
        item.finals = item.said
        return frames

    def completed(self, item: Item) -> list[Frame]:
        """All of the item is said."""
        if not self.is_written or item.is_dropped:
            return []
        frame = self._of_item(f"{_TRANSCRIPTION}.completed", item, transcript=item.said)
        frame["usage"] = {"type": "duration", "seconds": round(item.audio_ms / 1000, 3)}
        if item.languages:
            frame["languages"] = [{"code": code} for code in item.languages]
        if self.has_logprobs:
            frame["logprobs"] = item.logprobs
        return [frame]

    def failed(self, item: Item, error: Frame) -> list[Frame]:
        """The text of the item will not come."""
        if not self.is_written or item.is_dropped:
            return []
        shown = {name: error[name] for name in ("type", "code", "message", "param")}
        return [self._of_item(f"{_TRANSCRIPTION}.failed", item, error=shown)]

    def _delta(self, item: Item, event: Partial | Final, until: int) -> list[Frame]:
        """Say the utterance's text up to `until`, behind what was said of it already."""
        said, item.said = item.said, join(item.finals, event.text[:until])
        delta = item.said[len(said) :]
        if not delta or not self.is_written or item.is_dropped:
            return []
        frame = self._of_item(f"{_TRANSCRIPTION}.delta", item, delta=delta)
        if self.has_logprobs:
            lead = separator(item.finals, event.text)
            frame["logprobs"] = _logprobs(event, max(0, until - len(delta)), until, lead)
        return [frame]

    def _of_item(self, kind: str, item: Item, **fields: Any) -> Frame:
        return self._frames.make(kind, item_id=item.id, content_index=0, **fields)


def _logprobs(event: Partial | Final, begin: int, until: int, lead: str) -> list[Frame]:
    """The words that end in `text[begin:until]`, each with the space before it, as tokens; `lead` stands
    before the text. Words may be missing at the beginning of a text: a long utterance's are not aligned again
    and again."""
    tokens: list[Frame] = []
    behind = len(event.text)
    for word in reversed(event.words or ()):
        at = event.text.rfind(word.text, 0, behind)
        if at < 0:
            break
        end, behind = at + len(word.text), at
        if begin < end <= until:
            before = lead if at == 0 else " " if event.text[at - 1] == " " else ""
            token = before + word.text
            logprob = round(math.log(max(word.probability, _PROBABILITY_MIN)), 4)
            tokens.append({"token": token, "logprob": logprob, "bytes": list(token.encode())})
    return tokens[::-1]
