"""What the voice detector said of the audio that is still of use: how much speech lies under a text."""

from worker.core.framing import FRAME_SAMPLES

_FRAME_S = FRAME_SAMPLES / 16_000


class Voice:
    """Speech probabilities, one for each frame from `origin` on. What is decided is dropped."""

    def __init__(self, origin: int, threshold: float) -> None:
        self._origin = origin
        self._threshold = threshold
        self._speech = bytearray()
        """One byte for each frame: whether it is speech."""

    def push(self, probability: float) -> None:
        """Take the next frame's probability of speech."""
        self._speech.append(probability >= self._threshold)

    def speech_s(self, start: int, end: int) -> float:
        """Seconds of speech within samples `[start, end)`, as far as they are kept."""
        first = max(0, (start - self._origin) // FRAME_SAMPLES)
        last = max(0, -(-(end - self._origin) // FRAME_SAMPLES))
        return sum(self._speech[first:last]) * _FRAME_S

    def trim(self, before: int) -> None:
        """Drop the frames that end before `before`."""
        frames = max(0, min((before - self._origin) // FRAME_SAMPLES, len(self._speech)))
        del self._speech[:frames]
        self._origin += frames * FRAME_SAMPLES

    def __len__(self) -> int:
        return len(self._speech)
