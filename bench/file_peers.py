"""faster-whisper on whole recordings, as its documentation shows it: what file jobs are measured against."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.dataset import Program
from shared.audio.pcm import SAMPLE_RATE, pcm16_to_float
from shared.models import resolve

BEAM = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one system made of one recording."""

    text: str
    wall_s: float
    cpu_s: float


class Peers:
    """`WhisperModel.transcribe` and `BatchedInferencePipeline`, which share one model."""

    def __init__(self, *, model: str, compute_type: str, threads: int) -> None:
        # Heavy, and not needed where only the service is measured.
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        self._whisper: Any = WhisperModel(
            str(resolve(model).path),
            device="auto",
            compute_type=compute_type,
            cpu_threads=threads,
            local_files_only=True,
        )
        self._batched: Any = BatchedInferencePipeline(self._whisper)
        list(self._whisper.transcribe(np.zeros(5 * SAMPLE_RATE, np.float32), language="en")[0])

    def sequential(self, recording: Program) -> Heard:
        """Beam 5, 30 s after 30 s, with the text before as context."""
        return _timed(recording, lambda audio, code: self._whisper.transcribe(audio, code, beam_size=BEAM)[0])

    def batched(self, recording: Program, size: int) -> Heard:
        """Beam 5, pieces of up to 30 s between pauses, `size` of them at once."""
        return _timed(
            recording,
            lambda audio, code: self._batched.transcribe(audio, code, beam_size=BEAM, batch_size=size)[0],
        )


def _timed(recording: Program, transcribe: Callable[[Any, str], Iterable[Any]]) -> Heard:
    audio = pcm16_to_float(recording.pcm16)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    text = " ".join(segment.text.strip() for segment in transcribe(audio, recording.passages[0].language))
    return Heard(text=text, wall_s=time.perf_counter() - wall_s, cpu_s=time.process_time() - cpu_s)
