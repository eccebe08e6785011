"""What a client has sent and may have to send again. Pure.

Audio and wishes in their order, with a cursor that says what is written next. What the server says it has is
forgotten, but for a few seconds: a Redis that was restarted can have lost its last moment.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

KEEP_S: Final = 5.0
"""Audio that is kept beyond the server's word. An append-only file that is written every second loses two at
the worst; the rest is for a slow disk."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A control message in its place."""

    kind: Literal["finalize", "end"]
    number: int = 0
    """Which `finalize` of the session it is, from 1."""
    id: str = ""
    """The client's word for a `finalize`, which comes back in `Finalized`."""


@dataclass(frozen=True, slots=True)
class _Item:
    start: int
    """Bytes of audio before it."""
    content: bytes | Wish

    @property
    def end(self) -> int:
        return self.start + (len(self.content) if isinstance(self.content, bytes) else 0)


class ResendBuffer:
    """Everything from the first sample that may be asked for. Positions are bytes of the client's audio."""

    def __init__(self, *, frame_bytes: int, bytes_per_s: int, is_kept: bool = True) -> None:
        """`frame_bytes`: of a sample of every channel. Without `is_kept` nothing can be sent again."""
        self._frame_bytes = frame_bytes
        self._margin = round(KEEP_S * bytes_per_s)
        self._is_kept = is_kept
        self._items: deque[_Item] = deque()
        self._cursor = 0
        """Items before this one were written."""
        self._offset = 0
        """Bytes of the item at the cursor that were written, or are not to be."""
        self._end = 0
        self._acked = 0
        self._finalized = self._has_finalized = 0
        self._is_ended = False

    @property
    def unacked_bytes(self) -> int:
        """Audio that the server has not said it has."""
        return self._end - self._acked

    def audio(self, data: bytes) -> None:
        """Put the next bytes of the audio behind the rest."""
        if data:
            self._items.append(_Item(self._end, data))
            self._end += len(data)

    def finalize(self, id: str = "") -> int:
        """Put a wish for the final of what was said so far behind the rest. Returns its number."""
        self._finalized += 1
        self._items.append(_Item(self._end, Wish("finalize", self._finalized, id)))
        return self._finalized

    def end(self) -> None:
        """Say that nothing more will be put."""
        self._items.append(_Item(self._end, Wish("end")))

    def next(self, bytes_max: int) -> bytes | Wish | None:
        """What is to be written now, at most `bytes_max` of audio; None when all is written."""
        while self._cursor < len(self._items):
            item = self._items[self._cursor]
            if isinstance(item.content, bytes):
                piece = item.content[self._offset : self._offset + bytes_max]
                self._offset += len(piece)
                if self._offset == len(item.content):
                    self._step()
                return piece
            self._step()
            if self._is_wanted(item.content):
                return item.content
        return None

    def acked(self, sample: int, finalized: int) -> None:
        """The server has all audio before `sample`, and so many wishes."""
        self._acked = max(self._acked, min(sample * self._frame_bytes, self._end))
        self._has_finalized = max(self._has_finalized, finalized)
        self._forget(self._acked - self._margin)

    def rewind(self, sample: int, finalized: int, *, ended: bool) -> None:
        """Begin to write again from a place. Raises `LookupError` when the audio there is not kept."""
        begin = sample * self._frame_bytes
        first = self._items[0].start if self._items else self._end
        if not ended and not first <= begin <= self._end:
            raise LookupError(f"the audio from byte {begin} is not kept, only from {first} to {self._end}")
        self._has_finalized, self._is_ended = finalized, ended
        self._acked = min(begin, self._end)
        self._cursor = self._offset = 0
        if ended:
            self._cursor = len(self._items)
            return
        while self._cursor < len(self._items):
            item = self._items[self._cursor]
            if item.end > begin or (item.end == begin and isinstance(item.content, Wish)):
                self._offset = max(0, begin - item.start)
                return
            self._cursor += 1

    def _is_wanted(self, wish: Wish) -> bool:
        return not self._is_ended if wish.kind == "end" else wish.number > self._has_finalized

    def _step(self) -> None:
        self._cursor, self._offset = self._cursor + 1, 0
        if not self._is_kept:
            self._acked = self._items[self._cursor - 1].end
            self._forget(self._acked)

    def _forget(self, before: int) -> None:
        while self._cursor and self._items[0].end <= before:
            self._items.popleft()
            self._cursor -= 1
