"""Canonical audio, and arithmetic on it. Pure.

Inside Steno audio is 16 kHz mono; on the wire and in Redis 16-bit little-endian integers (`pcm16`), in
front of a model float32 in [-1, 1]. Positions are sample indexes: the audio's own clock.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2

Float32 = NDArray[np.float32]


def to_seconds(samples: int) -> float:
    """Sample index or count as seconds, to the millisecond: more digits are noise on the wire."""
    return round(samples / SAMPLE_RATE, 3)


def to_samples(seconds: float) -> int:
    """Seconds as the nearest sample index."""
    return round(seconds * SAMPLE_RATE)


def pcm16_to_float(data: bytes) -> Float32:
    """Canonical bytes as float32 in [-1, 1). `data` must be whole samples."""
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768.0)


def float_to_pcm16(samples: Float32) -> bytes:
    """float32 as canonical bytes; what is outside [-1, 1] is clipped, NaN becomes silence."""
    scaled = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0) * 32768.0
    return np.clip(np.rint(scaled), -32768, 32767).astype("<i2").tobytes()
