"""Who speaks when: voices that sound alike are one speaker.

While a file goes by, every 0.8 s of it gets a vector of its voice (`voice_encoder`). At the end, vectors of
what was transcribed are joined into speakers by average linkage, and each segment is given to the speaker
that it sounds most like. Nobody says how many speakers there are.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from shared.audio.pcm import SAMPLE_BYTES, Float32, pcm16_to_float
from shared.transcript import Segment, Transcript
from worker.jobs.voice_encoder import FRAME_SAMPLES, WINDOW_FRAMES, VoiceEncoder

HOP_FRAMES: Final = 80
_HOP_S: Final = HOP_FRAMES / 100
_BLOCK_BYTES: Final = 30 * 100 * FRAME_SAMPLES * SAMPLE_BYTES
SAME_SPEAKER: Final = 0.40
"""Mean cosine distance up to which two groups are one speaker. On mixtures of 1 to 4 readers this finds the
right number; 0.35 and 0.45 do not always (ADR 14)."""
_SAMPLE: Final = 800
"""Vectors that are joined; of longer files these many, evenly. Bounds the time and memory of the joining."""
_SHARE_MIN: Final = 0.03
_COUNT_MIN: Final = 4
"""A group that is smaller than either is no speaker but a noise, a laugh, two voices at once."""


class Diarizer(Protocol):
    """Tells speakers apart in one file."""

    def listening(self, chunks: Iterable[Sequence[bytes]]) -> Generator[Sequence[bytes]]:
        """The chunks, heard as they go by. They have one channel."""
        ...

    def named(self, transcript: Transcript) -> Transcript:
        """The transcript of what went by, its segments with their speakers."""
        ...


class Voices:
    """A `Diarizer` by voice alone. Memory grows by 1.3 kB with each second of audio."""

    def __init__(self, encoder: VoiceEncoder) -> None:
        self._encoder = encoder
        self._buffer = bytearray()
        self._vectors: list[Float32] = []

    def listening(self, chunks: Iterable[Sequence[bytes]]) -> Generator[Sequence[bytes]]:
        """See `Diarizer`."""
        for chunk in chunks:
            self._buffer += chunk[0]
            if len(self._buffer) >= _BLOCK_BYTES:
                self._hear()
            yield chunk
        self._hear()

    def named(self, transcript: Transcript) -> Transcript:
        """See `Diarizer`."""
        vectors = np.concatenate(self._vectors) if self._vectors else np.zeros((0, 1), np.float32)
        if not transcript.segments or not len(vectors):
            return transcript
        shares = np.stack([_shares(segment, len(vectors)) for segment in transcript.segments])
        spoken = shares.max(axis=0) > 0.5
        centres = speakers_of(vectors[spoken] if spoken.any() else vectors)
        numbers = (shares @ vectors @ centres.T).argmax(axis=1)
        order = list(dict.fromkeys(numbers.tolist()))
        named = [
            replace(segment, speaker=f"S{order.index(number) + 1}")
            for segment, number in zip(transcript.segments, numbers.tolist(), strict=True)
        ]
        return replace(transcript, segments=tuple(named))

    def _hear(self) -> None:
        frames = len(self._buffer) // (FRAME_SAMPLES * SAMPLE_BYTES)
        starts = list(range(0, frames - WINDOW_FRAMES + 1, HOP_FRAMES))
        if not starts:
            if self._vectors or not frames:
                return
            starts = [0]
        self._vectors.append(self._encoder.vectors(pcm16_to_float(bytes(self._buffer)), starts))
        del self._buffer[: len(starts) * HOP_FRAMES * FRAME_SAMPLES * SAMPLE_BYTES]


def _shares(segment: Segment, count: int) -> Float32:
    """How much of the middle of each vector's window is in the segment, 0 to 1; the nearest one of a segment
    that no middle is in."""
    middles = (np.arange(count) * HOP_FRAMES + WINDOW_FRAMES / 2) / 100
    left = np.maximum(segment.start, middles - _HOP_S / 2)
    right = np.minimum(segment.end, middles + _HOP_S / 2)
    shares = np.maximum(0, right - left) / _HOP_S
    if not shares.any():
        shares[np.abs(middles - (segment.start + segment.end) / 2).argmin()] = 1
    return shares.astype(np.float32)


def speakers_of(vectors: Float32) -> Float32:
    """The speakers of these vectors of length 1: the mean vector of each, one a row, at least one."""
    step = max(1, -(-len(vectors) // _SAMPLE))
    sample = vectors[::step]
    labels = _joined(1 - sample @ sample.T)
    names, counts = np.unique(labels, return_counts=True)
    large = names[counts >= max(_COUNT_MIN, _SHARE_MIN * len(sample))]
    if not len(large):
        large = names[[counts.argmax()]]
    centres = np.stack([sample[labels == name].mean(axis=0) for name in large])
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)


def _joined(distance: Float32) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """A group's number for each row: the two nearest groups are joined as long as their members' mean
    distance is not above `SAME_SPEAKER`."""
    d = distance.astype(np.float32)
    np.fill_diagonal(d, np.inf)
    labels, sizes = np.arange(len(d)), np.ones(len(d), np.float32)
    for _ in range(len(d) - 1):
        a, b = divmod(int(d.argmin()), len(d))
        if d[a, b] > SAME_SPEAKER:
            break
        row = (sizes[a] * d[a] + sizes[b] * d[b]) / (sizes[a] + sizes[b])
        d[a], d[:, a], d[a, a] = row, row, np.inf
        d[b], d[:, b] = np.inf, np.inf
        sizes[a] += sizes[b]
        labels[labels == b] = a
    return labels
