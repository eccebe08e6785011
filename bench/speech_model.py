"""Speech without sound: when a modelled person talks and pauses, and when each word ends.

Talk and pauses are drawn from what Silero v6 finds in the seven English streams of consecutive LibriSpeech
test-other utterances (556 s, 224 stretches of talk, pauses under 0.13 s counted as talk; 2.3 words a
second). A dialogue has the same talk, and after a turn the other side's, which is as long.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final, Literal

from shared.audio.pcm import SAMPLE_RATE, Float32, to_samples
from worker.core.framing import FRAME_SAMPLES

Profile = Literal["reading", "dialogue"]

_TALK_S: Final = (
    0.20, 0.36, 0.59, 0.70, 0.82, 0.95, 1.02, 1.22, 1.35, 1.42, 1.55,
    1.62, 1.72, 1.82, 1.95, 2.24, 2.54, 2.80, 3.36, 4.02, 10.3,
)  # fmt: skip
_PAUSE_S: Final = (
    0.13, 0.13, 0.13, 0.16, 0.19, 0.22, 0.29, 0.32, 0.35, 0.42, 0.48,
    0.54, 0.66, 0.88, 1.02, 1.15, 1.25, 1.34, 1.41, 1.47, 1.66,
)  # fmt: skip
"""Quantiles in steps of a twentieth. Talk under 0.2 s is left out: it is no word."""
_WORDS_PER_S: Final = 3.15
"""Of talk."""
_TURN_RUNS: Final = 4.0
"""Stretches of talk in a turn of a dialogue, on average: 7 s or so. Assumed, not measured."""
_GRID: Final = SAMPLE_RATE // 1000
"""Words begin and end at whole milliseconds, as all times on the wire do."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word's place in samples."""

    start: int
    end: int

    @property
    def middle(self) -> int:
        """Where it is cut when a window ends in it: before, it is not heard."""
        return (self.start + self.end) // 2


class Speech:
    """What one session says in `duration_s` seconds."""

    def __init__(self, rng: Random, duration_s: float, profile: Profile) -> None:
        self.samples = to_samples(duration_s)
        self.words: list[Spoken] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._talk(rng, profile)
        self._middles = [word.middle for word in self.words]

    def says(self, sample: int) -> bool:
        """Whether it talks at `sample`."""
        place = bisect_left(self._ends, sample)
        return place < len(self._ends) and self._starts[place] <= sample

    def between(self, start: int, end: int) -> range:
        """The numbers of the words that are heard in `[start, end)`."""
        return range(bisect_left(self._middles, start), bisect_left(self._middles, end))

    def _talk(self, rng: Random, profile: Profile) -> None:
        at_s = _drawn(rng, _PAUSE_S) + (rng.random() * 10 if profile == "dialogue" else 0.0)
        turn_s = 0.0
        while True:
            talk_s = _drawn(rng, _TALK_S)
            if to_samples(at_s + talk_s + 1.0) > self.samples:  # the last words are followed by silence
                return
            self._say(at_s, talk_s)
            pause_s = _drawn(rng, _PAUSE_S)
            turn_s += talk_s + pause_s
            at_s += talk_s + pause_s
            if profile == "dialogue" and rng.random() < 1 / _TURN_RUNS:
                at_s, turn_s = at_s + turn_s, 0.0

    def _say(self, at_s: float, talk_s: float) -> None:
        count = max(1, round(talk_s * _WORDS_PER_S))
        edges = [to_samples(at_s + talk_s * n / count) // _GRID * _GRID for n in range(count + 1)]
        self._starts.append(edges[0])
        self._ends.append(edges[-1])
        self.words += [Spoken(a, b) for a, b in pairwise(edges)]


def _drawn(rng: Random, quantiles: Sequence[float]) -> float:
    place = rng.random() * (len(quantiles) - 1)
    left = int(place)
    return quantiles[left] + (quantiles[left + 1] - quantiles[left]) * (place - left)


class SpeechVad:
    """What voice detection says of it, frame by frame from `position` on."""

    def __init__(self, speech: Speech, position: int) -> None:
        self._speech = speech
        self._middle = position // FRAME_SAMPLES * FRAME_SAMPLES + FRAME_SAMPLES // 2

    def __call__(self, frame: Float32) -> float:
        """Probability that the next frame holds speech."""
        middle = self._middle
        self._middle += FRAME_SAMPLES
        return 0.95 if self._speech.says(middle) else 0.05
