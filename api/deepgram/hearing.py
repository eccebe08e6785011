"""What of a client's messages is audio, as its sessions take it. Pure."""

from dataclasses import dataclass

import numpy as np

from shared.audio.convert import CANONICAL, AudioFormat
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE

_WIDTH_BYTES = {"pcm16": 2, "float32": 4, "mulaw": 1, "alaw": 1}


@dataclass(frozen=True, slots=True)
class Coded:
    """Bytes of audio that are being decoded; what they hold comes as `Decoded`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """The next audio of each channel, canonical, all of one length."""

    channels: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Undecodable:
    """The audio can't be decoded; `reason` is a sentence."""

    reason: str


Heard = str | bytes | Coded | Decoded | Undecodable
"""A client's message; where the audio says itself what it is, as it is decoded."""


class RawAudio:
    """Raw audio, split into what each session hears: every channel, or all of them together."""

    def __init__(self, audio: AudioFormat, *, split: bool) -> None:
        self._width = _WIDTH_BYTES[audio.encoding]
        self._channels = audio.channels if split else 1
        self._frame_bytes = self._width * audio.channels
        self._rate = audio.sample_rate
        self._sent_bytes = 0
        self._rest = b""
        self.session = AudioFormat(audio.encoding, audio.sample_rate, 1 if split else audio.channels)
        """What each session is given."""

    @property
    def count(self) -> int:
        """How many sessions."""
        return self._channels

    @property
    def sent_s(self) -> float:
        """Seconds of audio so far."""
        return self._sent_bytes / self._frame_bytes / self._rate

    def push(self, data: bytes) -> tuple[bytes, ...]:
        """The next bytes, cut anywhere, for each session."""
        self._sent_bytes += len(data)
        if self._channels == 1:
            return (data,)
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], f"V{self._width}").reshape(-1, self._channels)
        return tuple(samples[:, number].tobytes() for number in range(self._channels))


class DecodedAudio:
    """Audio that was decoded: as `RawAudio`, once its channels are known."""

    session = CANONICAL

    def __init__(self, count: int) -> None:
        self.count = count
        self._sent_samples = 0

    @property
    def sent_s(self) -> float:
        """Seconds of audio so far."""
        return self._sent_samples / SAMPLE_RATE

    def push(self, channels: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The next audio. Channels that were not there at first are left out, those that went are silent."""
        length = len(channels[0])
        self._sent_samples += length // SAMPLE_BYTES
        silent = bytes(length)
        return (*channels[: self.count], *(silent for _ in range(self.count - len(channels))))
