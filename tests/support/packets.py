"""Audio as bare Opus packets, and media as a client streams it."""

from typing import Any

import av
import numpy as np

from shared.audio.pcm import SAMPLE_RATE


def opus_packets(pcm16: bytes, *, channels: int = 1) -> list[bytes]:
    """Canonical audio as packets of 20 ms; the same on every channel."""
    codec: Any = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "stereo" if channels == 2 else "mono", "s16"
    codec.open()
    resampler = av.AudioResampler("s16", codec.layout, 48_000, frame_size=codec.frame_size)
    samples = np.repeat(np.frombuffer(pcm16, "<i2"), channels).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=codec.layout.name)
    frame.sample_rate = SAMPLE_RATE
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return [bytes(packet) for part in [*parts, None] for packet in codec.encode(part)]


class Slowly:
    """A reader that gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int = 500) -> None:
        self.data = data
        self.at = 0
        self.step = step

    def read(self, count: int) -> bytes:
        """At most `count` bytes."""
        count = min(count, self.step)
        self.at += len(found := self.data[self.at : self.at + count])
        return found
