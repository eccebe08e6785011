"""Bytes from the event loop to a thread that reads them as a file."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

_BYTES_MAX: Final = 256 * 1024
"""Unread bytes with which `push` waits. A single message may be longer."""


class Pipe:
    """Made in the loop; `push`, `end` and `close` are for the loop, the other methods for the thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._has_ended = False
        self._is_closed = False
        self._changed = threading.Condition()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be read."""
        return self._is_closed

    @property
    def is_empty(self) -> bool:
        """Whether a reader would wait now."""
        return not self._pieces

    async def push(self, data: bytes) -> None:
        """Put the next bytes in, then wait until there is room for more. Behind the end they are dropped."""
        with self._changed:
            if not (self._is_closed or self._has_ended):
                self._pieces.append(data)
                self._bytes += len(data)
                self._changed.notify_all()
        while self._is_full():
            self._room.clear()
            if self._is_full():
                await self._room.wait()

    def end(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is read: readers find the end at once."""
        with self._changed:
            self._is_closed = True
            self._pieces.clear()
            self._bytes = 0
            self._changed.notify_all()
        self._room.set()

    def read(self, count: int) -> bytes:
        """The next bytes, at most `count`; waits for them. None at the end."""
        piece = self._next()
        if len(piece) > count:
            self.unread(piece[count:])
        return piece[:count]

    def messages(self) -> Iterator[bytes]:
        """What was pushed, piece by piece, to the end."""
        while piece := self._next():
            yield piece

    def peek(self) -> bytes:
        """The beginning; waits for it."""
        piece = self._next()
        self.unread(piece)
        return piece

    def unread(self, data: bytes) -> None:
        """Put bytes back in front."""
        with self._changed:
            if data and not self._is_closed:
                self._pieces.appendleft(data)
                self._bytes += len(data)

    def _is_full(self) -> bool:
        with self._changed:
            return self._bytes >= _BYTES_MAX and not self._is_closed

    def _next(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._has_ended or self._is_closed)
            piece = self._pieces.popleft() if self._pieces else b""
            self._bytes -= len(piece)
        with contextlib.suppress(RuntimeError):  # of a loop that is closed
            self._loop.call_soon_threadsafe(self._room.set)
        return piece
