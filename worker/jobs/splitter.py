"""Decoded chunks of a file to windows: frames, their speech probability, and the cutter. Pure."""

from collections.abc import Callable, Iterator

import numpy as np

from shared.audio.pcm import SAMPLE_BYTES, Float32, pcm16_to_float
from worker.core.framing import FRAME_SAMPLES
from worker.jobs.cutter import Cutter, Stretch

_FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES


class Splitter:
    """One pass over one file. `vad` keeps its state from frame to frame."""

    def __init__(self, vad: Callable[[Float32], float], cutter: Cutter | None = None) -> None:
        self._vad = vad
        self._cutter = cutter or Cutter()
        self._rest = b""
        self._samples = 0

    @property
    def samples(self) -> int:
        """Length of what was pushed."""
        return self._samples

    @property
    def position(self) -> int:
        """Everything before this sample is in a window that was given out, or without speech."""
        return self._cutter.position

    def push(self, pcm16: bytes) -> Iterator[Stretch]:
        """Take a chunk of any length in whole samples; yields the windows that it completes."""
        self._samples += len(pcm16) // SAMPLE_BYTES
        data = self._rest + pcm16
        whole = len(data) - len(data) % _FRAME_BYTES
        self._rest = data[whole:]
        for at in range(0, whole, _FRAME_BYTES):
            yield from self._frame(data[at : at + _FRAME_BYTES])

    def flush(self) -> Iterator[Stretch]:
        """The end of the file."""
        if self._rest:
            yield from self._frame(self._rest)
            self._rest = b""
        if last := self._cutter.flush():
            yield last

    def _frame(self, frame: bytes) -> Iterator[Stretch]:
        samples = pcm16_to_float(frame)
        if len(samples) < FRAME_SAMPLES:
            samples = np.pad(samples, (0, FRAME_SAMPLES - len(samples)))
        if stretch := self._cutter.push(frame, self._vad(samples)):
            yield stretch
