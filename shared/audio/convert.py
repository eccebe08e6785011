"""A client's audio stream to canonical audio, chunk by chunk.

State is kept between chunks: bytes of a sample that was cut in two, and the resampler's filter memory, so
that any split of the same bytes gives the same samples.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr

from shared.audio.pcm import SAMPLE_RATE, Float32, float_to_pcm16
from shared.errors import BadParameter

SAMPLE_RATE_MIN: Final = 8_000
SAMPLE_RATE_MAX: Final = 96_000
CHANNELS_MAX: Final = 8

_WIDTH_BYTES: Final = {"pcm16": 2, "float32": 4, "mulaw": 1, "alaw": 1, "pcm8": 1, "pcm24": 3, "pcm32": 4}
"""Bytes of a sample; `pcm8` is signed, as in raw audio. The last three are not offered by the native
protocol."""


def _mulaw_table() -> Float32:
    """ITU-T G.711 µ-law: inverted bits, sign, 3-bit exponent, 4-bit mantissa, bias 132 of 16 bits."""
    code = ~np.arange(256, dtype=np.uint8) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa.astype(np.int32) << 3) + 132) << exponent.astype(np.int32)) - 132
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768.0).astype(np.float32)


def _alaw_table() -> Float32:
    """ITU-T G.711 A-law: even bits inverted, sign set for positive, 3-bit exponent, 4-bit mantissa."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    linear = (mantissa << 4) + 8
    magnitude = np.where(exponent > 0, (linear + 256) << np.maximum(exponent - 1, 0), linear)
    return (np.where(code & 0x80, magnitude, -magnitude) / 32768.0).astype(np.float32)


_TABLES: Final = {"mulaw": _mulaw_table(), "alaw": _alaw_table()}


_WARM_UP_SAMPLES: Final = SAMPLE_RATE // 10
"""Canonical audio after which a resampler that starts anew gives what one that ran on gives, but for
rounding: ten times what was measured for the slowest rate."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Where a stream of audio is begun anew so that its conversion goes on as if it had not stopped."""

    sample: int
    """First sample that the client sends, counted per channel in its own sample rate."""
    canonical: int
    """The canonical sample that it stands for."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a client's audio is."""

    encoding: str = "pcm16"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    def converter(self) -> "StreamConverter":
        """A converter for it. Raises `BadParameter` when Steno does not read it."""
        return StreamConverter(encoding=self.encoding, sample_rate=self.sample_rate, channels=self.channels)

    def restart(self, received: int) -> Restart:
        """The latest place from which the canonical audio from sample `received` on can be made again.

        Where the rate is converted, it lies before `received`: a filter needs what was before, and only where
        a sample of both rates falls on the same time does a new conversion have the phase of the old.
        """
        if self.sample_rate == SAMPLE_RATE:
            return Restart(received, received)
        common = math.gcd(self.sample_rate, SAMPLE_RATE)
        periods = max(0, received - _WARM_UP_SAMPLES) // (SAMPLE_RATE // common)
        return Restart(periods * (self.sample_rate // common), periods * (SAMPLE_RATE // common))


CANONICAL: Final = AudioFormat()
"""Audio that needs no conversion."""


class StreamConverter:
    """Bytes of one client's stream in, canonical pcm16 out.

    Channels are mixed to mono by their mean. Raises `BadParameter` when the format is not one that Steno
    reads.
    """

    def __init__(self, *, encoding: str, sample_rate: int, channels: int) -> None:
        if encoding not in _WIDTH_BYTES:
            raise BadParameter(f"encoding must be one of {', '.join(_WIDTH_BYTES)}")
        if not SAMPLE_RATE_MIN <= sample_rate <= SAMPLE_RATE_MAX:
            raise BadParameter(f"sample_rate must be from {SAMPLE_RATE_MIN} to {SAMPLE_RATE_MAX}")
        if not 1 <= channels <= CHANNELS_MAX:
            raise BadParameter(f"channels must be from 1 to {CHANNELS_MAX}")
        self._encoding = encoding
        self._channels = channels
        self._frame_bytes = _WIDTH_BYTES[encoding] * channels
        self._rest = b""
        self._resampler = (
            None
            if sample_rate == SAMPLE_RATE
            else soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        )

    @property
    def rest_bytes(self) -> int:
        """Bytes held back because they are not a whole sample of every channel yet."""
        return len(self._rest)

    def push(self, data: bytes) -> bytes:
        """Convert the next bytes of the stream; any length, also one that cuts a sample in two."""
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        data, self._rest = data[:whole], data[whole:]
        if self._encoding == "pcm16" and self._channels == 1 and self._resampler is None:
            return data
        return self._resample(self._mono(data), last=False)

    def flush(self) -> bytes:
        """The end of the stream: what the resampler still holds. A cut sample is dropped; see
        `rest_bytes`."""
        self._rest = b""
        return self._resample(np.zeros(0, np.float32), last=True)

    def _mono(self, data: bytes) -> Float32:
        if self._encoding == "pcm16":
            samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768.0)
        elif self._encoding == "float32":
            samples = np.nan_to_num(np.frombuffer(data, "<f4"), nan=0.0, posinf=1.0, neginf=-1.0)
            samples = np.clip(samples, -1.0, 1.0).astype(np.float32)
        elif self._encoding in _TABLES:
            samples = _TABLES[self._encoding][np.frombuffer(data, np.uint8)]
        else:
            samples = _signed(data, _WIDTH_BYTES[self._encoding])
        if self._channels == 1:
            return samples
        return samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)

    def _resample(self, samples: Float32, *, last: bool) -> bytes:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        return float_to_pcm16(samples)


def _signed(data: bytes, width: int) -> Float32:
    """Little-endian signed integers of 1, 3 or 4 bytes."""
    parts = np.frombuffer(data, np.uint8).reshape(-1, width)
    whole = np.zeros((len(parts), 4), np.uint8)
    whole[:, 4 - width :] = parts  # at the upper end, so that the sign is in its place
    return (whole.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
