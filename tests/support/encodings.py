"""Audio as clients of other formats would send it."""

import numpy as np
import soxr

from shared.audio.convert import StreamConverter


def encoded(canonical: bytes, encoding: str, sample_rate: int, channels: int) -> bytes:
    """Canonical audio as a client with that format would send it."""
    samples = np.frombuffer(canonical, "<i2").astype(np.float32) / 32768
    samples = soxr.resample(samples, 16000, sample_rate)
    samples = np.repeat(samples[:, None], channels, axis=1).reshape(-1)
    if encoding == "float32":
        return samples.astype("<f4").tobytes()
    linear = np.clip(samples * 32768, -32768, 32767).astype("<i2")
    if encoding == "pcm16":
        return linear.tobytes()
    return _nearest_code(linear, encoding)


def _nearest_code(linear: np.ndarray, encoding: str) -> bytes:
    """The code whose value is nearest. Made from the decoder's own tables, which have tests of their own."""
    converter = StreamConverter(encoding=encoding, sample_rate=16000, channels=1)
    table = np.frombuffer(converter.push(bytes(range(256))), "<i2").astype(np.int32)
    order = np.argsort(table)
    index = np.clip(np.searchsorted(table[order], linear), 0, 255)
    return order[index].astype(np.uint8).tobytes()
