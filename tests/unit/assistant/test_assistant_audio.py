"""Arrays as applications have them become canonical audio."""

import numpy as np
import pytest

from assistant.audio import to_pcm16
from shared.audio.pcm import float_to_pcm16, pcm16_to_float
from shared.errors import BadAudio, BadParameter
from tests.support.sound import speech

SOUND = speech(0.5)
CANONICAL = float_to_pcm16(SOUND)
INTEGERS = np.frombuffer(CANONICAL, "<i2")


@pytest.mark.parametrize(
    "samples",
    [
        SOUND,
        SOUND.astype(np.float64),
        INTEGERS,
        INTEGERS.astype(np.int32) << 16,
        INTEGERS.reshape(1, -1),
        INTEGERS.reshape(-1, 1),
        np.stack([INTEGERS, INTEGERS]),
        np.stack([INTEGERS, INTEGERS], axis=1),
        INTEGERS.astype(">i2").astype(np.int16),
    ],
    ids=["float", "double", "int16", "int32", "1xN", "Nx1", "2xN", "Nx2", "swapped"],
)
def test_every_form_of_the_same_sound_is_the_same(samples: np.ndarray) -> None:
    assert to_pcm16((16_000, samples)) == CANONICAL


def test_channels_are_mixed() -> None:
    left, right = np.full((2, 800), [[0.5], [-0.25]], np.float32)
    mixed = pcm16_to_float(to_pcm16((16_000, np.stack([left, right]))))
    assert mixed == pytest.approx(0.125, abs=1e-4)


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
def test_other_rates_keep_their_length_and_loudness(rate: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32) / 2
    canonical = pcm16_to_float(to_pcm16((rate, tone)))
    assert len(canonical) == pytest.approx(16_000, abs=2)
    assert np.abs(canonical[2000:-2000]).max() == pytest.approx(0.5, abs=0.01)


def test_what_is_no_sound_is_silence_or_refused() -> None:
    assert to_pcm16((16_000, np.zeros((1, 0), np.int16))) == b""
    assert to_pcm16((16_000, np.array([np.nan, np.inf], np.float32))) == float_to_pcm16(
        np.array([0.0, 1.0], np.float32)
    )
    with pytest.raises(BadAudio, match="dimensions"):
        to_pcm16((16_000, np.zeros((1, 1, 8), np.int16)))
    for kind in (np.uint8, np.complex64, object):
        with pytest.raises(BadAudio, match="int16"):
            to_pcm16((16_000, np.zeros(8, kind)))
    for rate in (0, -1, 4_000, 192_000):
        with pytest.raises(BadParameter, match="8000 to 96000"):
            to_pcm16((rate, SOUND))
