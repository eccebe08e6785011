"""The log-mel takes no threads for itself, and is what it was."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from worker.engine.encoder import SmallProducts


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("frames", [1, 31, 32, 33, 700, 3000])
def test_products_are_those_of_the_whole(mels: int, frames: int) -> None:
    filters = FeatureExtractor(feature_size=mels).mel_filters
    spectrogram = np.random.default_rng(frames).random((filters.shape[1], frames), np.float32)
    found = SmallProducts(filters) @ spectrogram
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, filters @ spectrogram, rtol=1e-6)
