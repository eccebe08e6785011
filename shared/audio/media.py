"""Files to canonical audio, through PyAV: the only place that opens media.

libav reads nearly everything, also lists that name other files and addresses. An upload must not make the
server read those, so only formats that carry their own audio are tried (`_FORMATS`).
"""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadAudio

log = logging.getLogger(__name__)

_FORMATS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,loas,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,"
    "mpegts,ogg,tta,w64,wav,wv"
)
_PROBE_PACKETS_MAX: Final = 512
"""Packets in which the first decodable audio must be found: 10 s and more in every codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a file says about its audio. `duration_s` is None when it does not say."""

    duration_s: float | None
    codec: str
    sample_rate: int
    channels: int
    container: str


def probe(path: Path) -> MediaInfo:
    """Look at a file and decode its first audio. Raises `BadAudio` saying what is wrong with it."""
    with _opened(path) as (container, stream):
        if next(_frames(container, stream, _ignore, packets_max=_PROBE_PACKETS_MAX), None) is None:
            raise BadAudio("the file has no audio that can be decoded; it may be cut off or damaged")
        context = stream.codec_context
        return MediaInfo(
            duration_s=_duration_s(container, stream),
            codec=str(context.name),
            sample_rate=int(context.sample_rate),
            channels=int(context.channels),
            container=str(container.format.name),
        )


def scan_duration(path: Path) -> float:
    """Length in seconds by reading all packets undecoded: for files that do not say it."""
    end_s = 0.0
    with _opened(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and packet.time_base is not None:
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except FFmpegError:
            log.info("media cannot be read to its end: %s", container.format.name)
    return end_s


def decode_chunks(
    path: Path,
    *,
    chunk_samples: int = 16_000,
    on_damage: Callable[[str], None] | None = None,
) -> Generator[bytes]:
    """The file's audio as canonical pcm16 in chunks of `chunk_samples`, the last one shorter.

    All channels are mixed. Memory does not grow with the file. What is damaged is left out: what comes
    before and after is kept, and `on_damage` is told once. Raises `BadAudio` when there is nothing at all.
    """
    chunk_bytes = chunk_samples * SAMPLE_BYTES
    tell = _once(on_damage)
    pending = bytearray()
    empty = True
    with _opened(path) as (container, stream):
        for data in _resampled(_frames(container, stream, tell)):
            pending += data
            while len(pending) >= chunk_bytes:
                empty = False
                yield bytes(pending[:chunk_bytes])
                del pending[:chunk_bytes]
    if empty and not pending:
        raise BadAudio("the file has no audio that can be decoded; it may be cut off or damaged")
    if pending:
        yield bytes(pending)


@contextmanager
def _opened(path: Path) -> Generator[tuple[Any, Any]]:
    if path.stat().st_size == 0:
        raise BadAudio("the file is empty")
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container: Any = av.open(str(path), options=options, metadata_errors="ignore")
    except (FFmpegError, ValueError) as error:
        raise BadAudio("the file is not audio or video that can be read, or its start is cut off") from error
    with container:
        stream = container.streams.best("audio")
        if stream is None:
            raise BadAudio(f"the file has no audio stream; it is {container.format.long_name}")
        if stream.codec_context is None:
            raise BadAudio("the file's audio is in a codec that is not known here")
        yield container, stream


def _frames(
    container: Any, stream: Any, tell: Callable[[str], None], *, packets_max: int | None = None
) -> Iterator[Any]:
    """Decoded frames. A packet that can't be decoded is left out; a container that can't be read any
    further ends them."""
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


def _resampled(frames: Iterator[Any]) -> Iterator[bytes]:
    """Frames as canonical bytes. A new resampler begins where the format changes in mid-file."""
    resampler: Any = None
    shape: tuple[Any, ...] = ()
    for frame in frames:
        if (now := (frame.format.name, frame.layout.name, frame.sample_rate)) != shape:
            yield from _drained(resampler)
            resampler, shape = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE), now
        # The place in the file is the count of samples; stamps with gaps would make the resampler refuse.
        frame.pts = None
        for out in resampler.resample(frame):
            yield _bytes_of(out)
    yield from _drained(resampler)


def _drained(resampler: Any) -> Iterator[bytes]:
    if resampler is not None:
        for out in resampler.resample(None):
            yield _bytes_of(out)


def _bytes_of(frame: Any) -> bytes:
    # The plane is padded for alignment; only the samples count.
    return bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / av.time_base
    return None


def _once(on_damage: Callable[[str], None] | None) -> Callable[[str], None]:
    told: list[str] = []

    def tell(what: str) -> None:
        if not told:
            told.append(what)
            log.warning("media is damaged: %s", what)
            if on_damage is not None:
                on_damage(what)

    return tell


def _ignore(_what: str) -> None:
    pass
