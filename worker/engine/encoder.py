"""From audio to Whisper's encoder states, in a window as long as the audio needs."""

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from shared.audio.pcm import Float32
from worker.core.decode import DecodeRequest, Kind
from worker.core.window import FRAMES_MAX, WindowPolicy
from worker.engine.backend import Backend, States

FRAME_SAMPLES: Final = 160
_ALIKE_FRAMES: Final = 200
"""Windows that differ by no more are encoded at the longer one's length when they are decoded together."""
_ALIKE_FRAMES_TIGHT: Final = 300
"""The same for partials of a busy device: what counts is that they are decoded together."""

_PRODUCTS: Final = 2560
"""Elements of the log-mel that are computed in one call: NumPy's BLAS takes no threads for so little."""


class SmallProducts:
    """The mel filters, in the place of their matrix: `@` with a spectrogram, a few frames a call.

    In one call BLAS would help with a thread for each core, which spins behind it: 40 ms of CPU time for a
    product of 2 ms, beside the encoder that begins then. A worker tells BLAS so before NumPy is imported;
    within an application it is too late for that.
    """

    def __init__(self, filters: Float32) -> None:
        self._filters = filters

    def __matmul__(self, spectrogram: Float32) -> Float32:
        rows, frames = len(self._filters), spectrogram.shape[1]
        found = np.empty((rows, frames), np.float32)
        step = _PRODUCTS // rows
        for begin in range(0, frames, step):
            # As many frames in the last call: BLAS rounds the last bit of fewer ones otherwise.
            at = max(0, min(begin, frames - step))
            np.matmul(self._filters, spectrogram[:, at : at + step], out=found[:, at : at + step])
        return found


class Encoder:
    """A model's. `policy` is how long windows are; None for what suits the model."""

    def __init__(self, backend: Backend, policy: WindowPolicy | None) -> None:
        self._backend = backend
        self._policy = policy or backend.loaded.window
        self._extract = FeatureExtractor(feature_size=backend.loaded.mels)
        extract = cast(Any, self._extract)
        extract.mel_filters = SmallProducts(extract.mel_filters)

    def windows(self, batch: Sequence[DecodeRequest]) -> list[int]:
        """Mel frames for each request. Lengths that differ little are made alike: rows of one length are
        decoded together, which saves more than the longer window costs. Those of files are alike already."""
        if all(request.kind is Kind.FILE for request in batch):
            return [self._policy.file_frames(request.duration_s) for request in batch]
        frames = [self._policy.frames(r.duration_s, tight=r.tight, final=r.kind is Kind.FINAL) for r in batch]
        is_tight = all(r.tight and r.kind is Kind.PARTIAL for r in batch)
        reach = _ALIKE_FRAMES_TIGHT if is_tight else _ALIKE_FRAMES
        alike: dict[int, int] = {}
        longest = 0
        for n in sorted(set(frames), reverse=True):
            longest = longest if 0 <= longest - n <= reach else n
            alike[n] = longest
        return [alike[n] for n in frames]

    def encode(self, audio: Float32, frames: int) -> States:
        """Encoder states [1, frames / 2, width] of the audio, filled up with silence."""
        return self._backend.encode(self._features(audio, frames))

    def _features(self, audio: Float32, frames: int) -> Float32:
        """Log-mel of the audio, filled up with the value that stands for silence after normalisation."""
        audio = audio[: FRAMES_MAX * FRAME_SAMPLES]
        mel = self._extract(audio, padding=FRAME_SAMPLES)[:, :frames]
        return np.pad(mel, ((0, 0), (0, frames - mel.shape[1]))).astype(np.float32)
