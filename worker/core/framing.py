"""Chunks of any length to voice-activity frames of one length."""

import numpy as np

from shared.audio.pcm import Float32

FRAME_SAMPLES = 512
"""What Silero takes at 16 kHz: 32 ms."""


class Framer:
    """Cuts a stream of samples into frames; what is left over waits for the next chunk."""

    def __init__(self) -> None:
        self._rest: Float32 = np.zeros(0, np.float32)

    def push(self, samples: Float32) -> list[Float32]:
        """The frames that `samples` completes, oldest first."""
        samples = np.concatenate((self._rest, samples))
        count = len(samples) // FRAME_SAMPLES
        self._rest = samples[count * FRAME_SAMPLES :]
        return [samples[i * FRAME_SAMPLES : (i + 1) * FRAME_SAMPLES] for i in range(count)]
