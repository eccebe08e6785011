"""Media that is still coming to canonical audio, through PyAV: containers read front to back, and packets one
by one."""

from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

import av
from av.error import FFmpegError

from shared.audio.frames import FORMATS, decoded, once, resampled
from shared.errors import BadAudio

_PROBE_BYTES: Final = 32 * 1024
"""Most that is read to find out what the media is; with little bandwidth that is the delay of the first
words."""
_PROBE_US: Final = 500_000
"""Most audio that is read for it."""
_OPUS_RATE: Final = 48_000


class _Pipe:
    """What PyAV reads from; without `seek`, so that it doesn't."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read


def decode_stream(read: Callable[[int], bytes], *, split: bool) -> Generator[tuple[bytes, ...]]:
    """The audio of media as it comes, canonical, each channel by itself when `split`, else one mix.

    `read(n)` gives the next bytes, at most `n`, waiting for them; none at the end. What is damaged is left
    out. Raises `BadAudio` when it is no media with audio that can be read from its beginning on.
    """
    options = {
        "format_whitelist": FORMATS,
        "protocol_whitelist": "",
        "formatprobesize": str(_PROBE_BYTES),
        "probesize": str(_PROBE_BYTES),
        "analyzeduration": str(_PROBE_US),
    }
    try:
        container: Any = av.open(_Pipe(read), options=options, metadata_errors="ignore", buffer_size=4096)
    except (FFmpegError, ValueError) as error:
        raise BadAudio("the stream is no audio that can be read while it comes") from error
    with container:
        stream = container.streams.best("audio")
        if stream is None or stream.codec_context is None:
            raise BadAudio("the stream has no audio that can be decoded")
        yield from resampled(decoded(container, stream, once(None)), split=split)


def decode_packets(packets: Iterable[bytes], *, channels: int, split: bool) -> Generator[tuple[bytes, ...]]:
    """The audio of Opus packets without a container, otherwise as `decode_stream`."""
    yield from resampled(_opus_frames(packets, channels), split=split)


def _opus_frames(packets: Iterable[bytes], channels: int) -> Generator[Any]:
    codec: Any = av.CodecContext.create("opus", "r")
    codec.sample_rate = _OPUS_RATE
    codec.layout = "stereo" if channels > 1 else "mono"
    tell = once(None)
    for packet in packets:
        try:
            yield from codec.decode(av.Packet(packet))
        except FFmpegError as error:
            tell(f"an opus packet cannot be decoded: {type(error).__name__}")
