"""Media that is still coming."""

import io
from pathlib import Path

import numpy as np
import pytest

from shared.audio.streamed import decode_packets, decode_stream
from shared.errors import BadAudio
from tests.support.media import tone, write_media, write_silent_video
from tests.support.packets import Slowly, opus_packets


def heard(data: bytes, *, split: bool = False) -> list[np.ndarray]:
    pieces = list(decode_stream(Slowly(data).read, split=split))
    return [np.frombuffer(b"".join(parts), "<i2") for parts in zip(*pieces, strict=True)]


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float32)))
    return float(np.argmax(spectrum)) * 16_000 / len(samples)


@pytest.mark.parametrize("kind", ["ogg", "webm", "wav", "mp3", "flac"])
def test_what_comes_bit_by_bit_is_heard(kind: str, tmp_path: Path) -> None:
    data = write_media(tmp_path / f"a.{kind}", tone(2.0, rate=48_000), rate=48_000).read_bytes()
    (samples,) = heard(data)
    assert len(samples) == pytest.approx(32_000, rel=0.05)
    assert pitch_hz(samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("kind", "bytes_max"),
    [("ogg", 20_000), ("webm", 20_000), ("mp3", 20_000), ("wav", 70_000)],  # libav wants 64 KiB of a WAV
)
def test_the_first_audio_comes_before_much_is_there(kind: str, bytes_max: int, tmp_path: Path) -> None:
    data = write_media(tmp_path / f"a.{kind}", tone(20.0, rate=48_000), rate=48_000).read_bytes()
    source = Slowly(data)
    pieces = decode_stream(source.read, split=False)
    next(pieces)
    assert source.at <= bytes_max
    pieces.close()


def test_channels_can_be_had_each_by_itself(tmp_path: Path) -> None:
    two = np.stack([tone(1.0), tone(1.0, hz=880.0)])
    left, right = heard(write_media(tmp_path / "a.wav", two).read_bytes(), split=True)
    assert (pitch_hz(left), pitch_hz(right)) == (pytest.approx(440, abs=2), pytest.approx(880, abs=2))


def test_an_end_in_the_middle_gives_what_was_there(tmp_path: Path) -> None:
    data = write_media(tmp_path / "a.webm", tone(4.0, rate=48_000), rate=48_000).read_bytes()
    (samples,) = heard(data[: len(data) // 2])
    assert 16_000 < len(samples) < 48_000


@pytest.mark.parametrize(
    "data", [b"", bytes(100), bytes(range(256)) * 400, b"OggS" + bytes(5000), b"RIFF\0\0\0\0WAVE"]
)
def test_what_is_no_media_is_refused(data: bytes) -> None:
    with pytest.raises(BadAudio):
        list(decode_stream(io.BytesIO(data).read, split=False))


def test_what_is_no_media_is_refused_before_it_ends() -> None:
    source = Slowly(b"this is a text and no audio " * 10_000)
    with pytest.raises(BadAudio):
        list(decode_stream(source.read, split=False))
    assert source.at <= 40_000


def test_a_list_of_addresses_is_not_followed() -> None:
    with pytest.raises(BadAudio):
        list(decode_stream(io.BytesIO(b"#EXTM3U\nhttp://127.0.0.1:1/a.ts\n").read, split=False))


def test_pictures_alone_are_refused(tmp_path: Path) -> None:
    data = write_silent_video(tmp_path / "a.webm").read_bytes()
    with pytest.raises(BadAudio):
        heard(data)


@pytest.mark.parametrize("channels", [1, 2])
def test_bare_opus_packets_are_heard_without_gaps(channels: int) -> None:
    pcm16 = (tone(2.0) * 32767).astype("<i2").tobytes()
    packets = opus_packets(pcm16, channels=channels)
    pieces = list(decode_packets(iter(packets), channels=channels, split=channels == 2))
    for parts in zip(*pieces, strict=True):
        samples = np.frombuffer(b"".join(parts), "<i2")
        assert len(samples) == pytest.approx(32_000, rel=0.05)
        assert pitch_hz(samples) == pytest.approx(440, abs=2)
        steps = np.abs(np.diff(samples[1600:-1600].astype(np.int32)))
        assert steps.max() < 6000  # a seam between packets would be a jump


def test_packets_that_are_none_are_left_out() -> None:
    pcm16 = (tone(1.0) * 32767).astype("<i2").tobytes()
    packets = opus_packets(pcm16)
    packets.insert(10, b"\xff" * 3)
    pieces = list(decode_packets(iter(packets), channels=1, split=False))
    assert sum(len(piece[0]) for piece in pieces) / 2 == pytest.approx(16_000, rel=0.1)
