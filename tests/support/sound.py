"""Audio made of plain pieces, and a voice detector that hears them: for machines that need no real speech."""

import numpy as np

from shared.audio.pcm import SAMPLE_RATE, Float32, float_to_pcm16


def speech(seconds: float, seed: int = 1) -> Float32:
    """Something loud, different for each seed and at each place."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * SAMPLE_RATE))
    return noise.astype(np.float32)


def silence(seconds: float) -> Float32:
    """Zeros."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def pcm16(*pieces: Float32) -> bytes:
    """The pieces one after another as canonical bytes."""
    return float_to_pcm16(np.concatenate(pieces))


def loudness_vad(frame: Float32) -> float:
    """Speech is what is loud."""
    return 1.0 if float(np.abs(frame).max()) > 0.05 else 0.0
