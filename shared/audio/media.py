"""Files to canonical audio, through PyAV. `shared.audio.streamed` reads media that is still coming."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, Final

import av
from av.error import FFmpegError

from shared.audio.frames import FORMATS, decoded, once, resampled
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE
from shared.errors import BadAudio, BadParameter, TooLarge

log = logging.getLogger(__name__)

_PROBE_PACKETS_MAX: Final = 512
"""Packets in which the first decodable audio must be found: 10 s and more in every codec."""
Source = Path | IO[bytes]
"""A file by its path, or open for reading and seeking; it is left open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a file says about its audio. `duration_s` is None when it does not say."""

    duration_s: float | None
    codec: str
    sample_rate: int
    channels: int
    container: str
    tracks: int
    """Audio tracks, of which one was looked at."""


def probe(source: Source, *, track: int | None = None) -> MediaInfo:
    """Look at a file and decode its first audio. `track` is the number of an audio track, None for the one
    that a player would choose. Raises `BadAudio` saying what is wrong with it, and `BadParameter` when there
    is no such track."""
    with _opened(source, track) as (container, stream):
        if next(decoded(container, stream, _ignore, packets_max=_PROBE_PACKETS_MAX), None) is None:
            raise BadAudio("the file has no audio that can be decoded; it may be cut off or damaged")
        context = stream.codec_context
        return MediaInfo(
            duration_s=_duration_s(container, stream),
            codec=str(context.name),
            sample_rate=int(context.sample_rate),
            channels=int(context.channels),
            container=str(container.format.name),
            tracks=len(container.streams.audio),
        )


def scan_duration(source: Source, *, track: int | None = None) -> float:
    """Length in seconds by reading all packets undecoded: for files that do not say it."""
    end_s = 0.0
    with _opened(source, track) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and packet.time_base is not None:
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except FFmpegError:
            log.info("media cannot be read to its end: %s", container.format.name)
    return end_s


def decode_chunks(
    source: Source,
    *,
    chunk_samples: int = 16_000,
    on_damage: Callable[[str], None] | None = None,
    track: int | None = None,
    s_max: float | None = None,
) -> Generator[bytes]:
    """The file's audio as canonical pcm16 in chunks of `chunk_samples`, the last one shorter.

    All channels are mixed. Memory does not grow with the file. What is damaged is left out: what comes
    before and after is kept, and `on_damage` is told once. Raises `BadAudio` when there is nothing at all,
    `BadParameter` when there is no such track, and `TooLarge` after `s_max` seconds of audio, whatever the
    file says of its length.
    """
    chunks = decode_channels(
        source, split=False, chunk_samples=chunk_samples, on_damage=on_damage, track=track, s_max=s_max
    )
    try:
        for (chunk,) in chunks:
            yield chunk
    finally:
        chunks.close()


def decode_channels(
    source: Source,
    *,
    split: bool,
    chunk_samples: int = 16_000,
    on_damage: Callable[[str], None] | None = None,
    track: int | None = None,
    s_max: float | None = None,
) -> Generator[tuple[bytes, ...]]:
    """As `decode_chunks`, a chunk of each channel at a time: the file's own when `split`, else one mix.

    The channels are those of the first frame; where their number changes in mid-file, what comes is mixed
    to fit. More than `CHANNELS_MAX` raise `BadAudio`.
    """
    chunk_bytes = chunk_samples * SAMPLE_BYTES
    tell = once(on_damage)
    pending: list[bytearray] = []
    count_samples = 0
    with _opened(source, track) as (container, stream):
        for planes in resampled(decoded(container, stream, tell), split=split):
            pending = pending or [bytearray() for _ in planes]
            count_samples += len(planes[0]) // SAMPLE_BYTES
            if s_max is not None and count_samples > s_max * SAMPLE_RATE:
                raise TooLarge(f"the file has more than {s_max:g} s of audio; send it in pieces")
            for queue, plane in zip(pending, planes, strict=True):
                queue += plane
            while len(pending[0]) >= chunk_bytes:
                yield tuple(bytes(queue[:chunk_bytes]) for queue in pending)
                for queue in pending:
                    del queue[:chunk_bytes]
    if not count_samples:
        raise BadAudio("the file has no audio that can be decoded; it may be cut off or damaged")
    if pending[0]:
        yield tuple(map(bytes, pending))


@contextmanager
def _opened(source: Source, track: int | None) -> Generator[tuple[Any, Any]]:
    if _size_bytes(source) == 0:
        raise BadAudio("the file is empty")
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    opened = str(source) if isinstance(source, Path) else source
    try:
        container: Any = av.open(opened, options=options, metadata_errors="ignore")
    except (FFmpegError, ValueError) as error:
        raise BadAudio("the file is not audio or video that can be read, or its start is cut off") from error
    with container:
        stream = _track(container, track)
        if stream.codec_context is None:
            raise BadAudio("the file's audio is in a codec that is not known here")
        yield container, stream


def _track(container: Any, track: int | None) -> Any:
    best, all_tracks = container.streams.best("audio"), container.streams.audio
    if best is None:
        raise BadAudio(f"the file has no audio stream; it is {container.format.long_name}")
    if track is None:
        return best
    if track >= len(all_tracks):
        raise BadParameter(f"track must be below {len(all_tracks)}, the number of the file's audio tracks")
    return all_tracks[track]


def _size_bytes(source: Source) -> int:
    """Also winds an open file back to its start."""
    if isinstance(source, Path):
        return source.stat().st_size
    size = source.seek(0, SEEK_END)
    source.seek(0)
    return size


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / av.time_base
    return None


def _ignore(_what: str) -> None:
    pass
