"""The audio of a dictation that no final covers yet, so that nothing is lost when its session is.

A session that can't be resumed is replaced by a new one, which is sent what the old one had not given a final
for: what is covered is not said again, and what is not covered is not lost.
"""

from typing import Final

from client.options import StreamOptions

BYTES_PER_S: Final = StreamOptions().bytes_per_s
SAMPLE_BYTES: Final = 2


class Recording:
    """Bytes of 16 kHz mono pcm16, from what is not covered on."""

    def __init__(self, kept_s_max: float = 120.0) -> None:
        self._kept_max = round(kept_s_max * BYTES_PER_S)
        self._kept = bytearray()
        self._sent = 0
        """Of what is kept, how much this session was sent."""
        self._base = 0
        """Bytes of this session before what is kept."""
        self.dropped_s = 0.0
        """Audio that no session was sent, because there was none for too long."""

    def add(self, audio: bytes) -> None:
        """Put the newest audio behind the rest. At the bound the oldest goes."""
        self._kept += audio
        if (excess := len(self._kept) - self._kept_max) > 0:
            self.dropped_s += max(0, excess - self._sent) / BYTES_PER_S
            self._forget(excess)

    def due(self) -> bytes:
        """What this session was not sent yet; from now on it was."""
        audio = bytes(self._kept[self._sent :])
        self._sent = len(self._kept)
        return audio

    def cover(self, covered_s: float) -> None:
        """A final covers this session's audio up to here."""
        whole = round(covered_s * BYTES_PER_S) // SAMPLE_BYTES * SAMPLE_BYTES
        # Never more than was sent, whatever the server says.
        self._forget(min(max(0, whole - self._base), self._sent))

    def forget(self) -> None:
        """Drop all: a new dictation begins, or one is over."""
        self._forget(len(self._kept))

    def begin_session(self) -> None:
        """Another session takes over: it is to be sent all that is kept."""
        self._sent = self._base = 0

    def _forget(self, count: int) -> None:
        del self._kept[:count]
        self._base += min(count, self._sent)
        self._sent = max(0, self._sent - count)
