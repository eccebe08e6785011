"""Media files made at run time, so that no containers are committed."""

import struct
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


def write_media(
    path: Path,
    samples: Any,
    *,
    rate: int = SAMPLE_RATE,
    video: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write `samples` (channels × time, or time) in the container and codec of the suffix; `options` are the
    encoder's."""
    samples = np.atleast_2d(samples).astype(np.float32)
    pcm16 = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    with av.open(str(path), "w") as container:
        picture = _video_stream(container) if video else None
        stream: Any = container.add_stream(CODECS[path.suffix[1:]], rate=rate, options=options or {})
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


def write_tracks(path: Path, tracks: list[Any]) -> Path:
    """A file with several audio tracks of 16 kHz."""
    with av.open(str(path), "w") as container:
        streams: list[Any] = [
            container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono") for _ in tracks
        ]
        for stream, samples in zip(streams, tracks, strict=True):
            pcm16 = (samples * 32767).astype("<i2").reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(pcm16, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def write_with_cover(path: Path, samples: Any, *, rate: int) -> Path:
    """An MP3 with a picture, as music players want it: ID3v2 with a JPEG."""
    write_media(path, samples, rate=rate)
    codec: Any = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 48, "yuvj420p", Fraction(1, 1)
    image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
    jpeg = b"".join(bytes(packet) for packet in codec.encode(image.reformat(format="yuvj420p")))
    apic = b"\0image/jpeg\0\x03\0" + jpeg
    frame = b"APIC" + len(apic).to_bytes(4, "big") + b"\0\0" + apic
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + size + frame + path.read_bytes())
    return path


def write_float_wav(path: Path, samples: Any) -> Path:
    """32-bit floats as they are, 16 kHz mono: no encoder would let what is no number through."""
    data = samples.astype("<f4").tobytes()
    head = _riff(3, SAMPLE_RATE, 32, len(data))
    path.write_bytes(head + data)
    return path


def write_hours(path: Path, samples: Any, *, hours: float) -> Path:
    """An MP3 in which the same is said again and again: some 5 MB for an hour."""
    once = write_media(
        path.with_suffix(".mp3"), samples, options={"b": "12k", "write_xing": "0"}
    ).read_bytes()
    once = once[once.index(b"\xff\xf3") :]
    count = -(-round(hours * 3600 * SAMPLE_RATE) // samples.shape[-1])
    with path.open("wb") as file:
        for _ in range(count):
            file.write(once)
    return path


def mulaw_header(seconds: int) -> bytes:
    """The header of a mu-law WAV of 8 kHz that says it is so long."""
    return _riff(7, 8000, 8, seconds * 8000)


def _riff(kind: int, rate: int, bits: int, size: int) -> bytes:
    step = bits // 8
    head = struct.pack("<HHIIHH", kind, 1, rate, rate * step, step, bits)
    size = min(size, 0xFFFFFF00)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + (b"data" + struct.pack("<I", size))
    )


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
