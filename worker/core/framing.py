"""Chunks of any length to voice-activity frames of one length."""

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, Float32

FRAME_SAMPLES = 512
"""What Silero takes at 16 kHz: 32 ms."""


def frames_in(seconds: float) -> int:
    """Seconds as the nearest number of frames."""
    return round(seconds * SAMPLE_RATE / FRAME_SAMPLES)


class Framer:
    """Cuts a stream of samples that begins at `origin` into frames; what is left over waits for the next
    chunk.

    Frames lie on one grid for all workers of a session, so that a successor hears the same boundaries: the
    first frame is filled up with silence.
    """

    def __init__(self, origin: int) -> None:
        self._rest: Float32 = np.zeros(origin % FRAME_SAMPLES, np.float32)
        self.position = origin - len(self._rest)
        """Where the first frame begins."""

    def push(self, samples: Float32) -> list[Float32]:
        """The frames that `samples` completes, oldest first."""
        samples = np.concatenate((self._rest, samples))
        count = len(samples) // FRAME_SAMPLES
        self._rest = samples[count * FRAME_SAMPLES :]
        return [samples[i * FRAME_SAMPLES : (i + 1) * FRAME_SAMPLES] for i in range(count)]
