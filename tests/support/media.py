"""Media files made at run time, so that no containers are committed."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from shared.audio.pcm import SAMPLE_RATE

CODECS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "m4a": "aac",
    "ogg": "libopus",
    "opus": "libopus",
    "webm": "libopus",
    "mp4": "aac",
}
"""Audio codec by file suffix."""


def tone(seconds: float, *, hz: float = 440.0, rate: int = SAMPLE_RATE, level: float = 0.5) -> Any:
    """A sine as float32."""
    at = np.arange(round(seconds * rate), dtype=np.float32) / rate
    return (level * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def write_media(path: Path, samples: Any, *, rate: int = SAMPLE_RATE, video: bool = False) -> Path:
    """Write `samples` (channels × time, or time) in the container and codec of the suffix."""
    samples = np.atleast_2d(samples).astype(np.float32)
    pcm16 = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    with av.open(str(path), "w") as container:
        picture = _video_stream(container) if video else None
        stream: Any = container.add_stream(CODECS[path.suffix[1:]], rate=rate)
        layout = "mono" if len(samples) == 1 else "stereo"
        stream.codec_context.layout = layout
        # Interleaved, then left to the encoder's own resampler and frame size.
        frame = av.AudioFrame.from_ndarray(pcm16.T.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        context = stream.codec_context
        resampler = av.AudioResampler(
            context.format.name, layout, rate, frame_size=None if path.suffix == ".wav" else 960
        )
        if picture is not None:
            _fill_video(container, picture, seconds=samples.shape[1] / rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def write_silent_video(path: Path, *, seconds: float = 1.0) -> Path:
    """A video without an audio stream."""
    with av.open(str(path), "w") as container:
        _fill_video(container, _video_stream(container), seconds=seconds)
    return path


def _video_stream(container: Any) -> Any:
    codec = "libvpx" if container.format.name == "webm" else "mpeg4"
    stream = container.add_stream(codec, rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _fill_video(container: Any, stream: Any, *, seconds: float) -> None:
    for number in range(max(1, round(seconds * 10))):
        image = np.full((48, 64, 3), number * 8 % 256, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
    container.mux(stream.encode(None))
