"""A client's audio as stretches: each is a session of Steno, which keeps the configuration that it was opened
with. A stretch begins with the first audio and ends when a change of the configuration concerns it; the next
audio begins another. Pure.

What sessions say is taken one stretch after the other, so that items keep the order of their audio.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from api.dialect import Act, Audio, End, Finalize, Open
from api.openai_realtime.items import Book, Item
from api.openai_realtime.shapes import Frame
from api.openai_realtime.turns import Draft, ManualTurns, Mark, Turns, VadTurns
from shared.audio.convert import AudioFormat
from shared.events import Closed, Event, SessionConfig

Step = Frame | Act[str | bytes]
"""A frame to the client, or an act."""

HEARD_MS_MIN: Final = 100.0
"""Least audio that is worth a mark: what is shorter is not heard, and two marks must not fall on one
sample."""
HELD_MS_MAX: Final = 1000.0
"""Audio that is held for a configuration that may still come; with this much, what is configured is taken to
be what is meant."""
_AUDIO_BYTES_MAX: Final = 64 * 1024
"""Longer audio goes on in pieces, so that converting it does not stop others."""
_WIDTH_BYTES: Final = {"pcm16": 2, "mulaw": 1, "alaw": 1}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the next session is to be. `is_manual`: the client ends turns."""

    config: SessionConfig
    audio: AudioFormat
    is_manual: bool

    def ms(self, data: bytes) -> float:
        """How long audio is."""
        return 1000 * len(data) / (_WIDTH_BYTES[self.audio.encoding] * self.audio.sample_rate)


@dataclass(slots=True)
class _Stretch:
    """A session, and what it said, and the client of it, while the one before it was not over."""

    key: int
    turns: Turns
    waiting: deque[Event | Mark] = field(default_factory=deque["Event | Mark"])


class Stretches:
    """All sessions of a connection."""

    def __init__(self, book: Book, wanted: Wanted) -> None:
        self._book = book
        self._draft = Draft(book)
        self._wanted = wanted
        self._is_configured = False
        self._held = b""
        """Audio that no session was opened for yet."""
        self._before_ms = 0.0
        """All audio but that."""
        self._keys = 0
        self._marks = 0
        self._live: _Stretch | None = None
        """The session that takes audio."""
        self._all: deque[_Stretch] = deque()
        """Those that are not over, oldest first."""

    @property
    def uncommitted_ms(self) -> float:
        """Audio that is neither committed nor cleared."""
        return self._received_ms - self._book.taken_ms

    def configure(self, wanted: Wanted) -> list[Step]:
        """The client has configured something. What it has not committed it may commit later, unless it
        leaves that to the server now."""
        steps: list[Step] = []
        if wanted != self._wanted:
            steps = self.end(for_good=wanted.is_manual != self._wanted.is_manual)
        self._wanted, self._is_configured = wanted, True
        return steps + self._begin()

    def append(self, data: bytes) -> list[Step]:
        """The client's next audio."""
        if self._live:
            self._before_ms += self._wanted.ms(data)
            return _pieces(self._live.key, data)
        self._held += data
        return self._begin()

    def commit(self) -> list[Step]:
        """All audio so far is to be an item, or the end of one."""
        return [*self._begin(now=True), *self._mark(is_clear=False)]

    def clear(self) -> list[Step]:
        """What is not committed is not wanted."""
        self._before_ms, self._held = self._received_ms, b""
        return self._mark(is_clear=True) if self.uncommitted_ms >= HEARD_MS_MIN else self._take([])

    def end(self, *, for_good: bool = False) -> list[Step]:
        """End the session that takes audio. `for_good`: what is not committed is, with this."""
        live, self._live = self._live, None
        if live is None:
            return []
        steps: list[Step] = []
        by_server = isinstance(live.turns, VadTurns)
        if for_good and not by_server and self.uncommitted_ms >= HEARD_MS_MIN:
            steps += self._tell(live, self._here(is_clear=False))
        if for_good or by_server:
            steps = self._take(steps)
        return [*steps, End(live.key)]

    def said(self, key: int, event: Event) -> list[Step]:
        """A session said something, `Error` excepted."""
        stretch = next((one for one in self._all if one.key == key), None)
        if stretch is None:
            return []
        stretch.waiting.append(event)
        steps: list[Step] = []
        while self._all and (oldest := self._all[0]).waiting:
            steps += self._hear(oldest, oldest.waiting.popleft())
        return steps

    def undone(self) -> Sequence[Item]:
        """Committed items that are not completed."""
        return [item for stretch in self._all for item in stretch.turns.undone()]

    @property
    def _received_ms(self) -> float:
        return self._before_ms + self._wanted.ms(self._held)

    def _begin(self, *, now: bool = False) -> list[Step]:
        """Open a session for audio that waits for one, unless a configuration may still come for it."""
        held_ms = self._wanted.ms(self._held)
        if not self._held or not (now or self._is_configured or held_ms >= HELD_MS_MAX):
            return []
        wanted, key = self._wanted, self._keys
        manual, vad = ManualTurns(self._book, self._draft), VadTurns(self._book, self._before_ms)
        self._live = _Stretch(key, manual if wanted.is_manual else vad)
        self._all.append(self._live)
        opened = Open(key=key, config=wanted.config, audio=wanted.audio, is_admitted=key == 0)
        steps: list[Step] = [opened, *_pieces(key, self._held)]
        self._keys += 1
        self._before_ms, self._held = self._received_ms, b""
        return steps

    def _mark(self, *, is_clear: bool) -> list[Step]:
        mark = self._here(is_clear=is_clear)
        newest = self._live or (self._all[-1] if self._all else None)
        if newest is None:  # all of it has been heard already
            silent = ManualTurns(self._book, self._draft)
            return self._take([*silent.mark(mark), *silent.close()])
        steps = self._tell(newest, mark)
        if newest is self._live:
            self._marks += 1
            steps.append(Finalize(newest.key, str(self._marks)))
        return self._take(steps)

    def _here(self, *, is_clear: bool) -> Mark:
        return Mark(self._received_ms, self.uncommitted_ms, is_clear)

    def _take(self, steps: list[Step]) -> list[Step]:
        """All audio so far is committed or cleared."""
        self._book.taken_ms = self._received_ms
        return steps

    def _tell(self, stretch: _Stretch, mark: Mark) -> list[Step]:
        if stretch is self._all[0]:
            return list(stretch.turns.mark(mark))
        stretch.waiting.append(mark)
        return []

    def _hear(self, stretch: _Stretch, event: Event | Mark) -> list[Step]:
        if isinstance(event, Mark):
            return list(stretch.turns.mark(event))
        if not isinstance(event, Closed):
            return list(stretch.turns.event(event))
        self._all.popleft()
        return list(stretch.turns.close())


def _pieces(key: int, data: bytes) -> list[Step]:
    return [Audio(key, data[at : at + _AUDIO_BYTES_MAX]) for at in range(0, len(data), _AUDIO_BYTES_MAX)]
