"""Audio as applications have it: arrays of any rate and layout, and iterables of bytes. Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.audio.convert import AudioFormat
from shared.errors import BadAudio

Audio = tuple[int, NDArray[Any]]
"""Sample rate, and samples as int16, int32 or floats in [-1, 1]: of one channel, or as a matrix of channels
either way round."""
_WIDEST = {np.dtype(np.int16): 2.0**15, np.dtype(np.int32): 2.0**31}


def to_pcm16(audio: Audio) -> bytes:
    """As canonical audio, channels mixed. Raises `BadAudio` for an array that can't be audio, and
    `BadParameter` for a rate outside of 8000 to 96000."""
    rate, samples = audio
    converter = AudioFormat("float32", int(rate), 1).converter()
    return converter.push(_mono(np.asarray(samples)).astype("<f4").tobytes()) + converter.flush()


def _mono(samples: NDArray[Any]) -> NDArray[Any]:
    if samples.ndim not in (1, 2):
        raise BadAudio(f"audio is an array of one or two dimensions, and this one has {samples.ndim}")
    if np.issubdtype(samples.dtype, np.floating):
        scaled = samples
    elif samples.dtype in _WIDEST:
        scaled = samples.astype(np.float32) / np.float32(_WIDEST[samples.dtype])
    else:
        raise BadAudio(f"audio is int16, int32 or floats, and this is {samples.dtype}")
    if scaled.ndim == 1 or not scaled.size:
        return scaled.reshape(-1)
    # There are more samples than channels, whichever comes first.
    return scaled.mean(axis=0 if scaled.shape[0] <= scaled.shape[1] else 1)
