"""Decoded chunks of a file to windows: frames, their speech probability, and the cutter. Pure."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from shared.audio.pcm import SAMPLE_BYTES, Float32, pcm16_to_float
from worker.core.framing import FRAME_SAMPLES
from worker.jobs.cutter import Cutter, Stretch

_FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES


class Splitter:
    """One pass over one file. `vad` gives the speech probability of every frame of the samples that it is
    called with, and keeps its state from call to call."""

    def __init__(self, vad: Callable[[Float32], Sequence[float]], cutter: Cutter | None = None) -> None:
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
        yield from self._cut(data[:whole], pcm16_to_float(data[:whole]))

    def flush(self) -> Iterator[Stretch]:
        """The end of the file."""
        if self._rest:
            samples = pcm16_to_float(self._rest)
            yield from self._cut(self._rest, np.pad(samples, (0, FRAME_SAMPLES - len(samples))))
            self._rest = b""
        if last := self._cutter.flush():
            yield last

    def _cut(self, pcm16: bytes, samples: Float32) -> Iterator[Stretch]:
        for number, probability in enumerate(self._vad(samples)):
            at = number * _FRAME_BYTES
            if stretch := self._cutter.push(pcm16[at : at + _FRAME_BYTES], probability):
                yield stretch
