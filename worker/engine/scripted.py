"""A deterministic engine without a model, for unit, load and failure tests.

It hears one word for each half second of audio, and the word depends on the samples alone, so that a lost
or doubled stretch of audio shows in the text. With the model `marks`, or another whose name begins so, it
hears the numbers that are written in the audio (`worker.engine.marks`) and nothing else: then the text does
not depend on where a window begins.
It hears English, or the first language that is allowed.
"""

import os
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, Float32, to_samples, to_seconds
from shared.errors import DeviceFault, EngineFault
from shared.events import Word
from shared.transcript import Token
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.engine import marks
from worker.engine.api import EngineOptions

WORD_S = 0.5
MARKS = "marks"
"""Models that hear marks: how their names begin."""
_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "xu", "za")


class ScriptedEngine:
    """Words from samples."""

    def __init__(self, options: EngineOptions) -> None:
        self._hear = _marked if options.model.startswith(MARKS) else _by_half_seconds
        self._info = EngineInfo(
            name="scripted",
            model=options.model,
            device="cpu",
            compute_type="none",
            languages=("en", "de", "fr"),
            parallel=options.threads,
            batch_max=64,
        )

    @property
    def info(self) -> EngineInfo:
        """Capabilities."""
        return self._info

    def prepare(self) -> None:
        """Nothing to warm."""

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """The words of each request's audio; a prefix replaces as many words as it has."""
        return [_decode(request, self._hear) for request in batch]

    def close(self) -> None:
        """Nothing to give back."""


def _decode(request: DecodeRequest, hear: Callable[[Float32], list[Word]]) -> DecodeResult:
    heard = hear(request.audio[to_samples(request.left_s) :])
    # A prefix stands in the place of as many words as it has; it may be longer than what is heard.
    given = [
        Word(text=text, start=i * WORD_S, end=(i + 1) * WORD_S, probability=1.0)
        for i, text in enumerate(request.prefix.split())
    ]
    given = [replace(heard[i], text=w.text) if i < len(heard) else w for i, w in enumerate(given)]
    words = [
        replace(word, start=word.start + request.left_s, end=word.end + request.left_s)
        for word in given + heard[len(given) :]
    ]
    language = request.languages[0] if request.languages else "en"
    return DecodeResult(
        text=" ".join(word.text for word in words),
        language=request.language or language,
        detected=language if request.detect or not request.language else "",
        words=tuple(words) if request.words else (),
        tokens=tuple((_token(word.text),) for word in words) if request.words and request.tokens else (),
        temperature=request.temperature,
        avg_logprob=-0.1,
    )


def _token(text: str) -> Token:
    return Token(id=zlib.crc32(text.encode()) % 50_000, raw=f" {text}", logprob=-0.1)


def _by_half_seconds(audio: Float32) -> list[Word]:
    return [
        Word(text=text, start=i * WORD_S, end=(i + 1) * WORD_S, probability=1.0)
        for i, text in enumerate(words_of(audio))
    ]


def _marked(audio: Float32) -> list[Word]:
    found = marks.read(audio)
    for _, number in found:
        if number >= marks.COMMANDS:
            _obey(number)
    return [
        Word(text=f"w{n}", start=to_seconds(at), end=to_seconds(at + marks.MARK_SAMPLES), probability=1.0)
        for at, n in found
    ]


def _obey(command: int) -> None:
    if command == marks.CRASH:
        os.abort()
    if command == marks.HANG:
        threading.Event().wait()
    if command == marks.DEVICE_FAULT:
        raise DeviceFault("the script says that the device is lost")
    raise EngineFault("the script says that the decode fails")


def words_of(audio: np.ndarray) -> list[str]:
    """The words that the engine hears in `audio`."""
    step = round(WORD_S * SAMPLE_RATE)
    loudness = 0.01
    pieces = (audio[i : i + step] for i in range(0, len(audio) - step // 2, step))
    return [_word(piece) for piece in pieces if len(piece) and float(np.abs(piece).max()) > loudness]


def _word(piece: np.ndarray) -> str:
    number = zlib.crc32(np.round(piece * 32768).astype("<i2").tobytes())
    # With a capital, as texts are written: what is not is given to no later decode (`worker.core.past`).
    return "".join(_SYLLABLES[(number >> (4 * i)) & 15] for i in range(3)).capitalize()
