"""The audio of a session that is still of use: from the first undecided sample on."""

import numpy as np

from shared.audio.pcm import Float32, pcm16_to_float


class AudioBuffer:
    """Samples with their place on the session's clock. Appends are contiguous; what is decided is dropped."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._chunks: list[Float32] = []
        self._samples = 0

    @property
    def start(self) -> int:
        """First sample kept."""
        return self._start

    @property
    def end(self) -> int:
        """First sample not received yet."""
        return self._start + self._samples

    def append(self, start: int, pcm16: bytes) -> Float32:
        """Add canonical audio that begins at `start`; what was there already is ignored. Returns what is new.

        A gap can't be: the edge appends in order, and Redis keeps order. It would mean lost audio, so it
        raises.
        """
        if start > self.end:
            raise ValueError(f"audio is missing between samples {self.end} and {start}")
        fresh = pcm16_to_float(pcm16)[self.end - start :]
        if len(fresh):
            self._chunks.append(fresh)
            self._samples += len(fresh)
        return fresh

    def view(self, start: int, end: int) -> Float32:
        """Samples `[start, end)`, as far as they are there."""
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        if not self._chunks:
            return np.zeros(0, np.float32)
        return self._chunks[0][max(0, start - self._start) : max(0, end - self._start)]

    def trim(self, before: int) -> None:
        """Drop samples before `before`."""
        kept = self.view(before, self.end).copy()
        start = min(max(before, self._start), self.end)
        self._chunks, self._samples, self._start = [kept], len(kept), start
