"""Pieces of Opus to canonical audio."""

import contextlib
from collections.abc import Iterable
from typing import Any, Final, cast

import av
import numpy as np
from av.error import FFmpegError

from api.rtc.playout import RATE, Piece, Speech
from shared.audio.convert import AudioFormat

_PCM16_BYTES: Final = 2


class SpeechDecoder:
    """One stream. Whatever is no Opus is silence as long as it says to be."""

    def __init__(self) -> None:
        # libopus makes one channel of two by itself.
        self._codec = cast(Any, av.CodecContext.create("libopus", "r"))
        self._codec.format, self._codec.layout, self._codec.sample_rate = "s16", "mono", RATE
        self._converter = AudioFormat("pcm16", RATE, 1).converter()

    def push(self, pieces: Iterable[Piece]) -> bytes:
        """The audio that they stand for, canonical."""
        return self._converter.push(b"".join(map(self._pcm16, pieces)))

    def _pcm16(self, piece: Piece) -> bytes:
        pcm16 = b""
        if isinstance(piece, Speech):
            with contextlib.suppress(FFmpegError):
                frames = self._codec.decode(av.Packet(piece.payload))
                pcm16 = b"".join(np.ascontiguousarray(frame.to_ndarray()).tobytes() for frame in frames)
        length = piece.samples * _PCM16_BYTES
        return pcm16[:length].ljust(length, b"\0")
