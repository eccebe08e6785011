"""Media to canonical audio, through PyAV: what files and streams have in common.

libav reads nearly everything, also lists that name other files and addresses. An upload must not make the
server read those, so only formats that carry their own audio are tried (`FORMATS`).
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final

import av
import numpy as np
from av.error import FFmpegError

from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadAudio

log = logging.getLogger(__name__)

FORMATS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,loas,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,"
    "mpegts,ogg,tta,w64,wav,wv"
)
CHANNELS_MAX: Final = 8
"""Most channels that are decoded each by itself."""
_UNCHECKED_FLOATS: Final = "pcm_f"
"""Codecs of this name hand out the file's own floats, which may be no numbers."""


def decoded(
    container: Any, stream: Any, tell: Callable[[str], None], *, packets_max: int | None = None
) -> Iterator[Any]:
    """Decoded frames. A packet that can't be decoded is left out; a container that can't be read any
    further ends them."""
    frames = _frames(container, stream, tell, packets_max=packets_max)
    if str(stream.codec_context.name).startswith(_UNCHECKED_FLOATS):
        return _numbers_only(frames, tell)
    return frames


def _frames(
    container: Any, stream: Any, tell: Callable[[str], None], *, packets_max: int | None
) -> Iterator[Any]:
    packets = container.demux(stream)
    count = 0
    while packets_max is None or count < packets_max:
        count += 1
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            tell(f"the container cannot be read any further: {type(error).__name__}")
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except FFmpegError as error:
            if not isinstance(error, EOFError):
                tell(f"a packet cannot be decoded: {type(error).__name__}")
            continue
        yield from frames


def _numbers_only(frames: Iterator[Any], tell: Callable[[str], None]) -> Iterator[Any]:
    """Frames of floats with silence where a sample is no number; the conversion would make noise of it."""
    for frame in frames:
        samples: Any = frame.to_ndarray()
        if np.isfinite(samples).all():
            yield frame
            continue
        tell("it has samples that are no numbers, which are taken for silence")
        clean = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        mended = av.AudioFrame.from_ndarray(clean, format=frame.format.name, layout=frame.layout.name)
        mended.sample_rate = frame.sample_rate
        yield mended


def resampled(frames: Iterator[Any], *, split: bool) -> Iterator[tuple[bytes, ...]]:
    """Frames as canonical bytes of each channel. A new resampler begins where the format changes in
    mid-file."""
    resampler: Any = None
    shape: tuple[Any, ...] = ()
    layout: Any = None if split else "mono"
    for frame in frames:
        if layout is None:
            layout = frame.layout
            if layout.nb_channels > CHANNELS_MAX:
                raise BadAudio(f"the file has more than {CHANNELS_MAX} channels, too many to split")
        if (now := (frame.format.name, frame.layout.name, frame.sample_rate)) != shape:
            yield from _drained(resampler)
            resampler, shape = av.AudioResampler(format="s16p", layout=layout, rate=SAMPLE_RATE), now
        # The place in the file is the count of samples; stamps with gaps would make the resampler refuse.
        frame.pts = None
        for out in resampler.resample(frame):
            yield _planes(out)
    yield from _drained(resampler)


def _drained(resampler: Any) -> Iterator[tuple[bytes, ...]]:
    if resampler is not None:
        for out in resampler.resample(None):
            yield _planes(out)


def _planes(frame: Any) -> tuple[bytes, ...]:
    # A plane is padded for alignment; only the samples count.
    return tuple(bytes(plane)[: frame.samples * SAMPLE_BYTES] for plane in frame.planes)


def once(on_damage: Callable[[str], None] | None) -> Callable[[str], None]:
    """Logs the first damage of a file, and tells `on_damage` of it."""
    told: list[str] = []

    def tell(what: str) -> None:
        if not told:
            told.append(what)
            log.warning("media is damaged: %s", what)
            if on_damage is not None:
                on_damage(what)

    return tell
