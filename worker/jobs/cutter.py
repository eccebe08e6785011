"""Cuts a file's audio into windows for decoding, at pauses. Pure.

Frames with their speech probability go in; stretches of audio come out. Every frame with speech is in
exactly one window, no window is longer than the model hears at once, and long stretches without speech are
in none: a decoder that is given silence makes up words. Where a window must end although nobody pauses, it
overlaps with the next one, and the words of both tell where one goes over into the other (`seams`).
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from worker.core.framing import FRAME_SAMPLES

_FRAME_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES
_FRAME_S: Final = FRAME_SAMPLES / SAMPLE_RATE
_SMOOTH_FRAMES: Final = 2
"""Frames on each side that are looked at when there is no pause to cut in."""


def _frames(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE) // FRAME_SAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class CutterConfig:
    """Lengths in seconds."""

    speech_probability: float = 0.35
    """From here on a frame counts as speech. Low, because speech that is left out is lost, and silence that
    is decoded only costs time."""
    window_s_max: float = 20.0
    """Whisper hears 30 s at once; but its time for a window grows faster than the window (docs/engine.md)."""
    search_s: float = 8.0
    """A window that becomes too long is cut in the longest pause of its last `search_s`."""
    silence_s: float = 3.0
    """A silence of this length ends a window."""
    pad_s: float = 0.4
    """Silence that is kept around speech, for soft beginnings and ends."""
    pause_s: float = 0.16
    """Without a pause of this length a window is cut in mid-speech, and overlaps with the next one."""
    overlap_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the file with speech in it. `start` is a sample of the file."""

    start: int
    pcm16: bytes
    speech: tuple[tuple[float, float], ...] = ()
    """Where in it there is speech, in seconds of the stretch."""
    lead_samples: int = 0
    """How much of its beginning the stretch before it has, too: 0 when there is a pause between them."""
    trail_samples: int = 0
    """How much of its end the next one has, too."""

    @property
    def end(self) -> int:
        """The first sample behind it."""
        return self.start + len(self.pcm16) // SAMPLE_BYTES


class Cutter:
    """One pass over one file."""

    def __init__(self, config: CutterConfig | None = None) -> None:
        config = config or CutterConfig()
        self._threshold = config.speech_probability
        self._frames_max = _frames(config.window_s_max)
        self._search = _frames(config.search_s)
        self._silence = _frames(config.silence_s)
        self._pad = _frames(config.pad_s)
        self._pause = _frames(config.pause_s)
        self._overlap = _frames(config.overlap_s)
        # A window that ends in silence keeps one pad of it, and the next one may need another; and a cut
        # must leave something on both sides of it.
        if not (2 * self._pad < self._silence < self._frames_max and self._search < self._frames_max):
            raise ValueError("a window must be longer than a silence, and a silence than two pads")
        if self._overlap > self._frames_max - self._search:
            raise ValueError("a window must be longer than its overlaps")
        self._start = 0
        self._audio = bytearray()
        self._probabilities: list[float] = []
        self._speech_from: int | None = None
        self._speech_to = 0
        self._lead = 0
        """Frames at the beginning that were in the window before."""

    @property
    def position(self) -> int:
        """Everything before this sample is in a window that was given out, or without speech."""
        return self._start

    def push(self, frame: bytes, probability: float) -> Stretch | None:
        """Take the next frame; only the last one of a file may be shorter than `FRAME_SAMPLES`. Returns the
        window that it completes."""
        self._add(frame, probability)
        if self._speech_from is None:
            self._drop(len(self._probabilities) - self._pad)
            return None
        if len(self._probabilities) - self._speech_to >= self._silence:
            return self._take(self._speech_to + self._pad)
        if len(self._probabilities) >= self._frames_max:
            return self._take(*self._best_cut())
        return None

    def flush(self) -> Stretch | None:
        """The end of the file: the last window."""
        if self._speech_from is None:
            self._drop(len(self._probabilities))
            return None
        last = self._take(min(self._speech_to + self._pad, len(self._probabilities)))
        self._drop(len(self._probabilities))
        return last

    def _add(self, frame: bytes, probability: float) -> None:
        self._audio += frame
        self._probabilities.append(probability)
        if probability >= self._threshold:
            self._speech_to = len(self._probabilities)
            if self._speech_from is None:
                self._speech_from = self._speech_to - 1

    def _take(self, count: int, overlap: int = 0) -> Stretch:
        """The first `count` frames as a window; the rest, and the last `overlap` of them, begin the next."""
        stretch = Stretch(
            self._start,
            bytes(self._audio[: count * _FRAME_BYTES]),
            self._speech(count),
            self._lead * FRAME_SAMPLES,
            overlap * FRAME_SAMPLES,
        )
        self._lead = overlap
        self._drop(count - overlap)
        speech = [i for i, p in enumerate(self._probabilities) if p >= self._threshold]
        self._speech_from = speech[0] if speech else None
        self._speech_to = speech[-1] + 1 if speech else 0
        if overlap:
            # There is a window to come, whatever it holds: the one before it waits for its words.
            self._speech_from = 0
            self._speech_to = max(self._speech_to, overlap)
            return stretch
        quiet = self._speech_from if self._speech_from is not None else len(self._probabilities)
        self._drop(quiet - self._pad)
        return stretch

    def _speech(self, count: int) -> tuple[tuple[float, float], ...]:
        runs: list[tuple[float, float]] = []
        at = 0
        for spoken, run in groupby(p >= self._threshold for p in self._probabilities[:count]):
            begin, at = at, at + len(list(run))
            if spoken:
                runs.append((round(begin * _FRAME_S, 3), round(at * _FRAME_S, 3)))
        return tuple(runs)

    def _drop(self, count: int) -> None:
        """Forget the first `count` frames."""
        if count <= 0:
            return
        size = min(count * _FRAME_BYTES, len(self._audio))
        del self._audio[:size]
        del self._probabilities[:count]
        self._start += size // SAMPLE_BYTES
        if self._speech_from is not None:
            self._speech_from -= count
            self._speech_to -= count

    def _best_cut(self) -> tuple[int, int]:
        """Where a full window ends, and how many frames the next one has of it.

        It is cut in the middle of the longest pause of its last part, without overlap; where there is none,
        where speech is least likely, with half of the overlap on each side.
        """
        last = len(self._probabilities)
        first = last - self._search
        pauses: list[tuple[int, int]] = []
        for quiet, run in groupby(range(first, last), lambda i: self._probabilities[i] < self._threshold):
            frames = list(run)
            if quiet and len(frames) >= self._pause:
                pauses.append((len(frames), frames[0] + (len(frames) + 1) // 2))
        if pauses:
            return max(pauses)[1], 0
        half = self._overlap // 2
        cut = min(range(first, last - half), key=lambda i: (self._smooth(i), -i))
        return cut + half, 2 * half

    def _smooth(self, at: int) -> float:
        near = self._probabilities[max(0, at - _SMOOTH_FRAMES) : at + _SMOOTH_FRAMES + 1]
        return sum(near) / len(near)
