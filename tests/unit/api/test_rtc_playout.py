"""RTP packets in order, in time, and no later than they must be."""

import random

import pytest

from api.rtc.playout import (
    HELD_MAX,
    LATE_S,
    RATE,
    SILENCE_S_MAX,
    Packet,
    Piece,
    Playout,
    Silence,
    Speech,
    opus_samples,
)

FRAME = 960
TOC = bytes([(1 << 3) | 0])
"""One frame of 20 ms."""


def packet(number: int, *, timestamp: int | None = None, ssrc: int = 1) -> Packet:
    at = number * FRAME if timestamp is None else timestamp
    return Packet(ssrc, number & 0xFFFF, at & 0xFFFFFFFF, TOC + number.to_bytes(4, "big"))


def numbers(pieces: list[Piece]) -> list[int]:
    """Of the packets; the frames of silence below 0."""
    return [
        int.from_bytes(piece.payload[1:], "big") if isinstance(piece, Speech) else -piece.samples // FRAME
        for piece in pieces
    ]


def play(playout: Playout, arrivals: list[tuple[Packet, float]]) -> list[int]:
    return [number for one, at_s in arrivals for number in numbers(playout.push(one, at_s))]


@pytest.mark.parametrize("first", [0, 65_530])
def test_what_comes_in_order_is_held_for_nothing(first: int) -> None:
    playout = Playout()
    for number in range(first, first + 20):
        assert numbers(playout.push(packet(number), number * 0.02)) == [number]
        assert playout.due_s is None
    assert playout.lost == 0


def test_a_late_packet_is_waited_for() -> None:
    playout = Playout()
    assert play(playout, [(packet(0), 0.0), (packet(2), 0.04), (packet(3), 0.05)]) == [0]
    assert playout.due_s == pytest.approx(0.04 + LATE_S)
    assert numbers(playout.push(packet(1), 0.06)) == [1, 2, 3]
    assert playout.due_s is None
    assert numbers(playout.push(packet(1), 0.07)) == []  # a second time
    assert playout.lost == 0


def test_what_never_comes_is_silence_as_long() -> None:
    playout = Playout()
    assert play(playout, [(packet(0), 0.0), (packet(3), 0.06)]) == [0]
    assert playout.due(0.06 + LATE_S / 2) == []
    assert numbers(playout.due(0.06 + LATE_S)) == [-2, 3]
    assert playout.lost == 2
    assert numbers(playout.push(packet(1), 0.2)) == []


def test_the_time_of_the_audio_is_the_speakers_whatever_is_lost_or_reordered() -> None:
    draw = random.Random(4)
    playout, played = Playout(), []
    arrivals = [
        (packet(n + 65_000), n * 0.02 + draw.uniform(0, 0.05))
        for n in range(1_500)
        if n < 1 or draw.random() > 0.1
    ]
    for one, at_s in sorted(arrivals, key=lambda arrival: arrival[1]):
        played += playout.push(one, at_s)
    played += playout.due(100.0)
    for place, piece in enumerate(played):
        if isinstance(piece, Speech):
            before = sum(earlier.samples for earlier in played[:place])
            assert before == (int.from_bytes(piece.payload[1:], "big") - 65_000) * FRAME
    assert 0 < playout.lost < 300


def test_a_pause_of_the_sender_is_silence_up_to_a_bound() -> None:
    playout = Playout()
    playout.push(packet(0), 0.0)
    (silence, _) = playout.push(packet(1, timestamp=FRAME + 5 * RATE), 5.0)
    assert silence == Silence(5 * RATE)
    (silence, _) = playout.push(packet(2, timestamp=3600 * RATE), 3600.0)
    assert silence == Silence(round(SILENCE_S_MAX * RATE))


def test_silence_is_not_longer_than_the_time_that_passed() -> None:
    """Timestamps are whatever a client writes: they make no audio of nothing."""
    playout, samples = Playout(), 0
    for number in range(500):
        one = packet(number, timestamp=number * 10 * RATE)
        samples += sum(piece.samples for piece in playout.push(one, number * 0.02))
    assert samples <= (2 * 500 * 0.02 + 1.1) * RATE


def test_a_stream_that_begins_anew_goes_on_behind_the_old_one() -> None:
    playout = Playout()
    assert play(playout, [(packet(0), 0.0), (packet(2), 0.04)]) == [0]
    begun = packet(7, timestamp=123_456, ssrc=2)
    assert numbers(playout.push(begun, 0.05)) == [-1, 2, 7]
    jumped = packet(30_000, timestamp=5, ssrc=2)
    assert numbers(playout.push(jumped, 0.07)) == [30_000]


def test_no_more_is_held_than_a_bound() -> None:
    playout, played = Playout(), []
    playout.push(packet(0), 0.0)
    for number in range(2, 2 + 2 * HELD_MAX):
        played += playout.push(packet(number), 0.0)
    assert numbers(played)[:2] == [-1, 2]


def test_packets_without_sound_only_count() -> None:
    playout = Playout()
    playout.push(packet(0), 0.0)
    assert playout.push(Packet(1, 1, FRAME, b""), 0.02) == []
    assert numbers(playout.push(packet(2, timestamp=FRAME), 0.04)) == [2]
    assert playout.lost == 0


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (b"", 0),
        (bytes([0 << 3]), 480),
        (bytes([3 << 3]), 2880),
        (bytes([16 << 3]), 120),
        (bytes([31 << 3 | 1]), 1920),
        (bytes([31 << 3 | 3]), 0),
        (bytes([31 << 3 | 3, 6]), 5760),
        (bytes([31 << 3 | 3, 7]), 0),  # more than 120 ms
        (bytes([3 << 3 | 2]), 5760),
    ],
)
def test_the_length_of_a_packet_is_in_its_first_bytes(payload: bytes, samples: int) -> None:
    assert opus_samples(payload) == samples
