"""How loud audio is."""

import numpy as np

QUIETEST_DB = -96.0
"""Of silence: below the smallest sample."""


def loudness(pcm16: bytes) -> tuple[float, float]:
    """Peak and mean power of whole samples, in dB below full scale."""
    samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / np.float32(32768.0)
    if not samples.size:
        return QUIETEST_DB, QUIETEST_DB
    return _db(float(np.abs(samples).max())), _db(float(np.sqrt(np.mean(samples**2))))


def _db(amplitude: float) -> float:
    return max(QUIETEST_DB, 20 * float(np.log10(amplitude))) if amplitude > 0 else QUIETEST_DB
