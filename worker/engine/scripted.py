"""A deterministic engine without a model, for unit, load and failure tests.

It hears one word for each half second of audio, and the word depends on the samples alone, so that a lost
or doubled stretch of audio shows in the text. It hears English, or the first language that is allowed.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, to_samples
from shared.events import Word
from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo
from worker.engine.api import EngineOptions

WORD_S = 0.5
_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "xu", "za")


class ScriptedEngine:
    """Words from samples."""

    def __init__(self, options: EngineOptions) -> None:
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
        return [_decode(request) for request in batch]

    def close(self) -> None:
        """Nothing to give back."""


def _decode(request: DecodeRequest) -> DecodeResult:
    said = words_of(request.audio[to_samples(request.left_s) :])
    given = request.prefix.split()
    spoken = given + said[len(given) :]
    times = tuple(
        Word(
            text=text,
            start=request.left_s + i * WORD_S,
            end=request.left_s + (i + 1) * WORD_S,
            probability=1.0,
        )
        for i, text in enumerate(spoken)
    )
    asked = request.detect or not request.language
    heard = request.languages[0] if request.languages else "en"
    return DecodeResult(
        text=" ".join(spoken),
        language=request.language or heard,
        detected=heard if asked else "",
        words=times if request.words else (),
        avg_logprob=-0.1,
    )


def words_of(audio: np.ndarray) -> list[str]:
    """The words that the engine hears in `audio`."""
    step = round(WORD_S * SAMPLE_RATE)
    loudness = 0.01
    pieces = (audio[i : i + step] for i in range(0, len(audio) - step // 2, step))
    return [_word(piece) for piece in pieces if len(piece) and float(np.abs(piece).max()) > loudness]


def _word(piece: np.ndarray) -> str:
    number = zlib.crc32(np.round(piece * 32768).astype("<i2").tobytes())
    return "".join(_SYLLABLES[(number >> (4 * i)) & 15] for i in range(3))
