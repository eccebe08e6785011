"""The voice activity network on many frames at once."""

import numpy as np

from tests.support.data import clip
from worker.core.framing import FRAME_SAMPLES
from worker.engine.silero import SileroVad


def test_frames_at_once_have_the_probabilities_that_they_have_one_by_one() -> None:
    """However they are divided: the state goes on from run to run."""
    said = clip("en_twain").samples()[: 200 * FRAME_SAMPLES]
    alone = SileroVad()
    expected = [alone(frame) for frame in said.reshape(-1, FRAME_SAMPLES)]
    together, found = SileroVad(), list[float]()
    for part in np.split(said, np.array([1, 1, 4, 100]) * FRAME_SAMPLES):
        found += together.frames(part)
    found.append(together(np.zeros(FRAME_SAMPLES, np.float32)))
    expected.append(alone(np.zeros(FRAME_SAMPLES, np.float32)))
    assert max(expected) > 0.9
    assert min(expected) < 0.1
    assert found == [float(value) for value in np.array(found, np.float32)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
