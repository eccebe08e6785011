"""The real session machine over modelled speech, and an engine that hears it."""

from typing import Any, Final

import numpy as np

from bench.speech_model import Speech, SpeechVad
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, Float32, to_samples, to_seconds
from shared.codec import unpack
from shared.events import SessionConfig, Word
from worker.core.buffer import AudioBuffer
from worker.core.decode import DecodeRequest, DecodeResult
from worker.core.effects import Checkpoint, SessionOptions
from worker.core.session import Session


class Stretch(np.ndarray[Any, Any]):
    """Samples that are all zero, and know where in which speech they lie."""

    speech: Speech
    start: int


_NOTHING: Final = np.zeros(90 * SAMPLE_RATE, np.float32)


class Extent(AudioBuffer):
    """A session's audio without the samples: those of thousands of sessions would fill the memory."""

    def __init__(self, speech: Speech, start: int) -> None:
        super().__init__(start)
        self._speech = speech
        self._end = start

    @property
    def end(self) -> int:
        """First sample not received yet."""
        return self._end

    def append(self, start: int, pcm16: bytes) -> Float32:
        """Take note of audio. Returns as many samples."""
        fresh = start + len(pcm16) // SAMPLE_BYTES - self._end
        self._end += fresh
        return _NOTHING[:fresh]

    def view(self, start: int, end: int) -> Float32:
        """Samples `[start, end)`."""
        stretch = _NOTHING[: max(0, min(end, self._end) - start)].view(Stretch)
        stretch.speech, stretch.start = self._speech, start
        return stretch

    def trim(self, before: int) -> None:
        """Drop samples before `before`: there are none."""
        self._start = max(self._start, before)


def modelled_session(speech: Speech, options: SessionOptions, covered: int, checkpoint: bytes) -> Session:
    """The real machine over modelled speech."""
    return Session(
        SessionConfig(language="en"),
        SpeechVad(speech, covered),
        options=options,
        committed=covered,
        checkpoint=unpack(Checkpoint, checkpoint) if checkpoint else None,
        buffer=Extent(speech, covered),
    )


def heard(request: DecodeRequest, window_s: float, tokens_per_word: float, *, lost: bool) -> DecodeResult:
    """What the modelled engine says: word number n is `Wn`, with a capital as texts are written."""
    stretch: Any = request.audio
    own = stretch.start + to_samples(request.left_s)
    numbers = stretch.speech.between(own, stretch.start + len(stretch))
    spoken = [stretch.speech.words[n] for n in numbers]
    words = tuple(
        Word(
            text=f"W{n}",
            start=to_seconds(word.start - stretch.start),
            end=to_seconds(word.end - stretch.start),
            probability=1.0,
        )
        for n, word in zip(numbers, spoken, strict=True)
        if request.words
    )
    fresh = len(numbers) - len(request.prefix.split())
    return DecodeResult(
        text=" ".join(f"W{n}" for n in numbers),
        language="en",
        words=words,
        avg_logprob=-0.2,
        window_s=window_s,
        steps=max(2, round(max(0, fresh) * tokens_per_word) + 2),
        runaway=lost,
    )
