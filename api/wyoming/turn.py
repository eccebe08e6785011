"""One utterance of a Wyoming client, on its way to a transcript. Pure."""

from dataclasses import dataclass
from typing import Any

from api.dialect import Act, Send
from api.wyoming.framing import WyomingEvent
from shared.events import Final, Partial

Acts = list[Act[WyomingEvent]]


@dataclass(slots=True)
class Turn:
    """One utterance of a client on its way to a transcript."""

    key: int
    finals: str = ""
    """What is final."""
    stable: str = ""
    """What does not change any more: `finals` and what is committed behind it."""
    language: str = ""
    sent: str | None = None
    """What was sent of it in chunks; None before the first."""
    is_over: bool = False

    def hear(self, event: Partial | Final) -> None:
        """Take what its session says."""
        if not event.text:
            return
        text = self.finals.ljust(event.offset)[: event.offset] + event.text[: event.committed]
        self.language = event.language or self.language
        if isinstance(event, Final):
            self.finals = self.stable = text
        elif event.committed:
            self.stable = text

    def chunks(self) -> Acts:
        """What is new of the text. It only grows, so that the chunks are the transcript together."""
        if not self.stable or self.stable == self.sent:
            return []
        new, acts = self.stable[len(self.sent or "") :], self._start()
        self.sent = self.stable
        return [*acts, Send(WyomingEvent("transcript-chunk", {"text": new}))]

    def transcript(self) -> Acts:
        """The whole text. What was sent in chunks stands, also when the session failed behind it."""
        text = WyomingEvent("transcript", self._with_language({"text": self.stable}))
        return [*self._start(), Send(text), Send(WyomingEvent("transcript-stop"))]

    def _start(self) -> Acts:
        if self.sent is not None:
            return []
        return [Send(WyomingEvent("transcript-start", self._with_language({})))]

    def _with_language(self, data: dict[str, Any]) -> dict[str, Any]:
        return data | ({"language": self.language} if self.language else {})
