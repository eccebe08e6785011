"""From a session's events to items: whose turn it is, and when a turn is over. Pure.

One object per session; a connection may have several sessions one after another. `finalize` marks are
answered in order, behind the finals of all that was said before them, so that a mark says where an item
ends.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from api.openai_realtime.items import Book, Item
from api.openai_realtime.shapes import Frame
from shared.events import Event, Final, Finalized, Partial, SpeechEnd, SpeechStart

_CLOCKS_S = 0.05
"""How far the client's clock may run ahead of the session's: what a resampler holds back."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a client committed or cleared, on the clock of all its audio, and how much that is."""

    at_ms: float
    length_ms: float
    is_clear: bool


class Turns(Protocol):
    """What one session's events mean."""

    def event(self, event: Event) -> list[Frame]:
        """Take any event but the last."""
        ...

    def mark(self, mark: Mark) -> list[Frame]:
        """The client commits or clears; a `finalize` follows, unless the session was ended."""
        ...

    def close(self) -> list[Frame]:
        """The session is over; no more events come."""
        ...

    def undone(self) -> Sequence[Item]:
        """Committed items that are not completed."""
        ...


class Draft:
    """The item that a client without turn detection will commit next. It outlives a session that is ended
    because the configuration changed."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.item = book.make()

    def take(self) -> Item:
        """The item; a new one stands in its place."""
        item, self.item = self.item, self._book.make()
        return item


class ManualTurns:
    """The client ends turns: all utterances between two commits are one item."""

    def __init__(self, book: Book, draft: Draft) -> None:
        self._book = book
        self._draft = draft
        self._due: deque[Item] = deque()
        """Items that wait for the answer to their mark, oldest first."""

    def event(self, event: Event) -> list[Frame]:
        item = self._due[0] if self._due else self._draft.item
        if isinstance(event, Partial):
            # Behind a commit the finals are enough: a client that waits for `completed` need not read more.
            return [] if self._due else self._book.heard(item, event)
        if isinstance(event, Final):
            return self._book.finished(item, event)
        return self._answered() if isinstance(event, Finalized) else []

    def mark(self, mark: Mark) -> list[Frame]:
        item = self._draft.take()
        item.audio_ms, item.is_dropped = mark.length_ms, mark.is_clear
        self._due.append(item)
        return [] if mark.is_clear else self._book.committed(item)

    def close(self) -> list[Frame]:
        frames: list[Frame] = []
        while self._due:
            frames += self._answered()
        return frames

    def undone(self) -> Sequence[Item]:
        return [item for item in self._due if item.is_committed]

    def _answered(self) -> list[Frame]:
        return self._book.completed(self._due.popleft())


@dataclass(slots=True)
class _Due:
    """A mark that is not answered."""

    at_s: float
    is_clear: bool
    is_met: bool = False
    """Whether it ended an utterance."""


class VadTurns:
    """The server ends turns, at pauses. Speech without one is a turn of several utterances. A client may
    commit as well: that ends the turn, or makes an empty item when none is open. `base_ms` is how much audio
    of the connection was before this session's."""

    def __init__(self, book: Book, base_ms: float) -> None:
        self._book = book
        self._base_ms = base_ms
        self._items: dict[int, Item] = {}
        """By utterance, until its final."""
        self._last: dict[str, int] = {}
        """The last utterance of an ended turn, by item."""
        self._open: Item | None = None
        self._due: deque[_Due] = deque()

    def event(self, event: Event) -> list[Frame]:
        match event:
            case SpeechStart():
                return self._started(event)
            case SpeechEnd():
                return self._ended(event)
            case Partial():
                return self._book.heard(self._items[event.utterance], event)
            case Final():
                return self._final(event)
            case Finalized():
                return self._answered()
            case _:
                return []

    def mark(self, mark: Mark) -> list[Frame]:
        self._due.append(_Due((mark.at_ms - self._base_ms) / 1000, mark.is_clear))
        if self._open and mark.is_clear:
            self._open.is_dropped = True
            self._open = None
        return []

    def close(self) -> list[Frame]:
        frames: list[Frame] = []
        while self._due:
            frames += self._answered()
        return frames

    def undone(self) -> Sequence[Item]:
        items = {item.id: item for item in self._items.values()}
        return [item for item in items.values() if item.is_committed]

    def _started(self, event: SpeechStart) -> list[Frame]:
        item, is_new = self._open, self._open is None
        if item is None:
            item = self._open = self._book.make()
        self._items[event.utterance] = item
        return [self._book.started(item, self._ms(event.start))] if is_new else []

    def _ended(self, event: SpeechEnd) -> list[Frame]:
        item = self._items[event.utterance]
        if event.reason == "length":
            return []
        if event.reason == "finalize" and self._meet(event.end):
            item.is_dropped = True
        self._last[item.id] = event.utterance
        if self._open is item:
            self._open = None
        if item.is_dropped:
            return []
        self._book.taken_ms = max(self._book.taken_ms, self._ms(event.end))
        return [self._book.stopped(item, self._ms(event.end)), *self._book.committed(item)]

    def _final(self, event: Final) -> list[Frame]:
        item = self._items.pop(event.utterance)
        item.audio_ms += 1000 * (event.end - event.start)
        frames = self._book.finished(item, event)
        if self._last.get(item.id) != event.utterance:
            return frames
        del self._last[item.id]
        return frames + self._book.completed(item)

    def _meet(self, end_s: float) -> bool:
        """Note which mark ended an utterance; whether that was a clear."""
        for due in self._due:
            if not due.is_met and end_s <= due.at_s + _CLOCKS_S:
                due.is_met = True
                return due.is_clear
        return False

    def _answered(self) -> list[Frame]:
        due = self._due.popleft()
        if due.is_met or due.is_clear:
            return []
        item = self._book.make()
        return [*self._book.committed(item), *self._book.completed(item)]

    def _ms(self, session_s: float) -> float:
        return self._base_ms + 1000 * session_s
