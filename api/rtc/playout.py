"""RTP packets with Opus, as they arrive, to pieces of audio in order and in time. Pure.

What comes in order goes on at once; nothing is held back for a jitter that does not happen. What a packet is
missing before waits for it, a little, and then goes on behind silence as long as what is missing, so that the
audio's time stays the speaker's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

RATE: Final = 48_000
"""Samples a second of Opus in RTP, whatever it was made from (RFC 7587)."""
LATE_S: Final = 0.06
"""How long packets wait for one that is missing before them."""
HELD_MAX: Final = 50
"""How many of them."""
SILENCE_S_MAX: Final = 10.0
"""Most silence for one gap, longer than any pause that ends an utterance: a microphone that was off for an
hour is not an hour of audio."""
_CREDIT_S: Final = 1.0
"""Silence that a peer may have at once when it begins. More comes only as time passes: timestamps are the
client's, and audio costs."""
_RESTART: Final = 3_000
"""Numbers that are farther away than this belong to a stream that began anew."""
_FRAME_MS: Final = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4
"""Length of a frame by the upper five bits of a packet's first byte (RFC 6716, section 3.1)."""
_PACKET_MS_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet."""

    ssrc: int
    number: int
    """Modulo 2^16."""
    timestamp: int
    """Modulo 2^32, in samples."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Speech:
    """A packet of Opus to decode."""

    payload: bytes
    samples: int
    """How long it is."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What stands for packets that are missing."""

    samples: int


Piece = Speech | Silence


class Playout:
    """One peer's audio. `lost` counts packets that never came, or came too late."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Packet, float]] = {}
        self._next: int | None = None
        self._ssrc = 0
        self._timestamp: int | None = None
        """Of the first sample that has not been played."""
        self._credit_s = _CREDIT_S
        self._credited_s = 0.0
        self.lost = 0

    @property
    def due_s(self) -> float | None:
        """When `due` is to be called, if no packet comes before; None: never."""
        return min((at_s for _, at_s in self._held.values()), default=None)

    def push(self, packet: Packet, at_s: float) -> list[Piece]:
        """A packet arrives. Returns what is to be played now."""
        if self._next is None or packet.ssrc != self._ssrc:
            pieces = [*self._give_up(at_s), *self._begin(packet, at_s)]
        else:
            away = _signed(packet.number - self._next, 16)
            if abs(away) > _RESTART:
                pieces = [*self._give_up(at_s), *self._begin(packet, at_s)]
            elif away < 0:  # a second time, or too late
                return []
            else:
                self._held.setdefault(packet.number, (packet, at_s + LATE_S))
                pieces = list(self._in_order(at_s))
        return pieces + self.due(at_s)

    def due(self, at_s: float) -> list[Piece]:
        """What waited long enough for what is missing before it."""
        pieces: list[Piece] = []
        while self._held and ((self.due_s or 0.0) <= at_s or len(self._held) > HELD_MAX):
            self._skip()
            pieces += self._in_order(at_s)
        return pieces

    def _begin(self, packet: Packet, at_s: float) -> Iterator[Piece]:
        """The first packet of a stream: its timestamp is where the audio stands."""
        if self._next is None:
            self._credited_s = at_s
        self._ssrc, self._next, self._timestamp = packet.ssrc, packet.number, None
        self._held[packet.number] = (packet, at_s)
        yield from self._in_order(at_s)

    def _give_up(self, at_s: float) -> Iterator[Piece]:
        while self._held:
            self._skip()
            yield from self._in_order(at_s)

    def _skip(self) -> None:
        following = min(self._held, key=lambda number: (number - (self._next or 0)) & 0xFFFF)
        self.lost += (following - (self._next or 0)) & 0xFFFF
        self._next = following

    def _in_order(self, at_s: float) -> Iterator[Piece]:
        while self._next is not None and (held := self._held.pop(self._next, None)) is not None:
            self._next = (self._next + 1) & 0xFFFF
            yield from self._played_at(held[0], at_s)

    def _played_at(self, packet: Packet, at_s: float) -> Iterator[Piece]:
        samples = opus_samples(packet.payload)
        if not samples:  # padding, which has its number and no sound
            return
        missing = 0 if self._timestamp is None else _signed(packet.timestamp - self._timestamp, 32)
        self._timestamp = (packet.timestamp + samples) & 0xFFFFFFFF
        if (silence := self._allowed(missing, at_s)) > 0:
            yield Silence(silence)
        yield Speech(packet.payload, samples)

    def _allowed(self, missing: int, at_s: float) -> int:
        self._credit_s = min(SILENCE_S_MAX, self._credit_s + at_s - self._credited_s)
        self._credited_s = at_s
        silence = max(0, min(missing, round(self._credit_s * RATE)))
        self._credit_s -= silence / RATE
        return silence


def opus_samples(payload: bytes) -> int:
    """How long a packet of Opus is, by its first two bytes (RFC 6716, section 3); 0 for one that is none."""
    if not payload:
        return 0
    count = (1, 2, 2)[payload[0] & 3] if payload[0] & 3 < 3 else (payload[1] & 63 if len(payload) > 1 else 0)
    milliseconds = _FRAME_MS[payload[0] >> 3] * count
    return round(milliseconds * RATE / 1000) if milliseconds <= _PACKET_MS_MAX else 0


def _signed(value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half
