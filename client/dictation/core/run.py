"""One session of a dictation."""

from dataclasses import dataclass, field

from client.dictation.core.committed import Committed
from shared.events import Final


@dataclass(slots=True)
class Run:
    """What is known of it. A session that is lost is followed by another run."""

    number: int = 0
    is_open: bool = False
    """Whether it was ever open, and has not ended."""
    _committed: Committed = field(default_factory=Committed)
    _windows: dict[int, str] = field(default_factory=dict[int, str])
    """By utterance: where it began."""

    def begin(self, utterance: int, window: str) -> None:
        """An utterance began while this window had the focus."""
        self._windows[utterance] = window

    def take(self, final: Final) -> tuple[str, str]:
        """The text that is due with this final, and the window in which it began; empty where that is not
        known."""
        self._committed, due = self._committed.take(final)
        return due.removeprefix(" "), self._windows.pop(final.utterance, "")
