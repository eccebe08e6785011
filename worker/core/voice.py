"""What the voice detector said of the audio that is still of use: how much speech lies under a text."""

import math
from array import array

import numpy as np

from shared.audio.pcm import Float32
from worker.core.framing import FRAME_SAMPLES

_FRAME_S = FRAME_SAMPLES / 16_000


class Voice:
    """Speech probabilities, one for each frame from `origin` on. What is decided is dropped."""

    def __init__(self, origin: int, threshold: float) -> None:
        self._origin = origin
        self._threshold = threshold
        self._speech = bytearray()
        """One byte for each frame: whether it is speech."""
        self._levels_db = array("f")
        """Root mean square of each frame."""

    def push(self, probability: float, frame: Float32) -> None:
        """Take the next frame and its probability of speech."""
        self._speech.append(probability >= self._threshold)
        self._levels_db.append(10 * math.log10(float(np.dot(frame, frame)) / FRAME_SAMPLES + 1e-10))

    def range_db(self, start: int, end: int) -> float:
        """From the level of the quiet frames within samples `[start, end)` to that of the loud ones, dB: 10th
        and 90th percentile. One talker's voice stands above the room by it; a crowd's hardly changes."""
        first = max(0, (start - self._origin) // FRAME_SAMPLES)
        levels = sorted(self._levels_db[first : max(0, (end - self._origin) // FRAME_SAMPLES)])
        if not levels:
            return 0.0
        tenth = len(levels) // 10
        return levels[-1 - tenth] - levels[tenth]

    def speech_s(self, start: int, end: int) -> float:
        """Seconds of speech within samples `[start, end)`, as far as they are kept."""
        first = max(0, (start - self._origin) // FRAME_SAMPLES)
        last = max(0, -(-(end - self._origin) // FRAME_SAMPLES))
        return sum(self._speech[first:last]) * _FRAME_S

    def pause(self, start: int, end: int) -> int | None:
        """The first sample without speech within `[start, end)`, to a frame; None where all is speech."""
        first = max(0, (start - self._origin) // FRAME_SAMPLES)
        found = self._speech.find(0, first, max(0, (end - self._origin) // FRAME_SAMPLES))
        return None if found < 0 else max(start, self._origin + found * FRAME_SAMPLES)

    def trim(self, before: int) -> None:
        """Drop the frames that end before `before`."""
        frames = max(0, min((before - self._origin) // FRAME_SAMPLES, len(self._speech)))
        del self._speech[:frames], self._levels_db[:frames]
        self._origin += frames * FRAME_SAMPLES

    def __len__(self) -> int:
        return len(self._speech)
