"""Any stream becomes canonical audio, however it is cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audio.convert import AudioFormat, Restart, StreamConverter
from shared.audio.pcm import float_to_pcm16, pcm16_to_float, to_samples, to_seconds
from shared.errors import BadParameter


def convert(data: bytes, cuts: list[int], *, encoding: str, sample_rate: int, channels: int = 1) -> bytes:
    """All of `data` through a converter, cut at `cuts`."""
    converter = StreamConverter(encoding=encoding, sample_rate=sample_rate, channels=channels)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [converter.push(data[a:b]) for a, b in itertools.pairwise(places)]
    return b"".join(pieces) + converter.flush()


def tone(sample_rate: int, seconds: float = 0.5) -> np.ndarray:
    """440 Hz at half of full scale."""
    t = np.arange(round(sample_rate * seconds)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def test_canonical_audio_goes_through_as_it_is() -> None:
    data = float_to_pcm16(tone(16_000))
    assert convert(data, [], encoding="pcm16", sample_rate=16_000) == data


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 10**6), max_size=6),
    form=st.sampled_from(
        [("pcm16", 16_000, 1), ("pcm16", 48_000, 2), ("float32", 44_100, 1), ("mulaw", 8_000, 1)]
    ),
    seed=st.integers(0, 1000),
)
def test_any_cut_of_the_same_bytes_gives_the_same_audio(
    cuts: list[int], form: tuple[str, int, int], seed: int
) -> None:
    encoding, rate, channels = form
    data = np.random.default_rng(seed).integers(0, 255, 8_000, dtype=np.uint8).tobytes()
    if encoding == "float32":
        data = np.random.default_rng(seed).uniform(-1, 1, 2_000).astype("<f4").tobytes()
    kwargs = {"encoding": encoding, "sample_rate": rate, "channels": channels}
    whole = pcm16_to_float(convert(data, [], **kwargs))
    pieces = pcm16_to_float(convert(data, cuts, **kwargs))
    assert len(whole) == len(pieces)
    assert np.abs(whole - pieces).max(initial=0) <= 2 / 32768


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_resampling_keeps_length_and_tone(rate: int) -> None:
    out = pcm16_to_float(convert(float_to_pcm16(tone(rate)), [777], encoding="pcm16", sample_rate=rate))
    assert len(out) == pytest.approx(8_000, abs=2)
    spectrum = np.abs(np.fft.rfft(out))
    assert np.argmax(spectrum) * 16_000 / len(out) == pytest.approx(440, abs=3)
    assert np.abs(out[1000:-1000]).max() == pytest.approx(0.5, abs=0.02)


def test_channels_are_mixed_by_their_mean() -> None:
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1).astype("<f4").tobytes()
    out = pcm16_to_float(convert(stereo, [], encoding="float32", sample_rate=16_000, channels=2))
    assert out == pytest.approx(np.full(100, 0.125), abs=1e-4)


@pytest.mark.parametrize(
    ("encoding", "code", "value"),
    [
        # ITU-T G.711 tables 1 and 2: decoder output values, scaled from 13 and 14 bits to 16.
        ("mulaw", 0xFF, 0),
        ("mulaw", 0x7F, 0),
        ("mulaw", 0x80, 32124),
        ("mulaw", 0x00, -32124),
        ("mulaw", 0xEF, 132),
        ("mulaw", 0x90, 15996),
        ("alaw", 0xD5, 8),
        ("alaw", 0x55, -8),
        ("alaw", 0xAA, 32256),
        ("alaw", 0x2A, -32256),
        ("alaw", 0xC5, 264),
        ("alaw", 0x80, 5504),
    ],
)
def test_g711_codes_have_their_published_values(encoding: str, code: int, value: int) -> None:
    out = convert(bytes([code]), [], encoding=encoding, sample_rate=16_000)
    assert np.frombuffer(out, "<i2")[0] == value


def test_loud_and_broken_floats_are_clipped() -> None:
    data = np.array([9.0, -9.0, np.nan, np.inf, -np.inf], "<f4").tobytes()
    out = np.frombuffer(convert(data, [], encoding="float32", sample_rate=16_000), "<i2")
    assert out.tolist() == [32767, -32768, 0, 32767, -32768]


def test_bytes_of_a_cut_sample_are_counted() -> None:
    converter = StreamConverter(encoding="pcm16", sample_rate=16_000, channels=2)
    assert converter.push(b"\0" * 7) == b"\0" * 2
    assert converter.rest_bytes == 3


@pytest.mark.parametrize(
    ("encoding", "rate", "channels"),
    [
        ("opus", 16_000, 1),
        ("pcm16", 7_999, 1),
        ("pcm16", 96_001, 1),
        ("pcm16", 16_000, 0),
        ("pcm16", 16_000, 9),
    ],
)
def test_a_format_that_is_not_read_is_refused(encoding: str, rate: int, channels: int) -> None:
    with pytest.raises(BadParameter):
        StreamConverter(encoding=encoding, sample_rate=rate, channels=channels)


@given(st.integers(0, 10**9))
def test_seconds_are_samples_to_the_millisecond(samples: int) -> None:
    assert abs(to_samples(to_seconds(samples)) - samples) <= 8


RATES = (8000, 8009, 11025, 16000, 22050, 44100, 48000, 96000)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("received", [0, 1, 1599, 1601, 16_000, 40_001])
def test_a_conversion_that_is_begun_anew_goes_on_with_the_same_samples(rate: int, received: int) -> None:
    """From the place that it names, and from the first sample that had not arrived."""
    audio = AudioFormat("float32", rate, 1)
    sound = np.random.default_rng(rate).uniform(-0.5, 0.5, rate * 4).astype("<f4").tobytes()
    whole = _converted(audio, sound)
    restart = audio.restart(received)
    assert restart.canonical <= received
    assert restart.sample * 16_000 == restart.canonical * rate
    again = _converted(audio, sound[restart.sample * 4 :])
    assert len(again) == len(whole) - restart.canonical
    difference = again[received - restart.canonical :] - whole[received:]
    assert np.abs(difference).max() <= 1


def test_audio_that_needs_no_conversion_is_begun_anew_where_it_stopped() -> None:
    assert AudioFormat("mulaw", 16_000, 2).restart(12_345) == Restart(12_345, 12_345)


def _converted(audio: AudioFormat, sound: bytes) -> np.ndarray:
    converter = audio.converter()
    pieces = [converter.push(sound[i : i + 4000]) for i in range(0, len(sound), 4000)]
    return np.frombuffer(b"".join([*pieces, converter.flush()]), "<i2").astype(np.int32)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("pcm8", bytes([0, 64, 0x80, 0xC0])),
        ("pcm24", b"\0\0\0\0\0\x40\0\0\x80\0\0\xc0"),
        ("pcm32", b"\0\0\0\0\0\0\0\x40\0\0\0\x80\0\0\0\xc0"),
    ],
)
def test_signed_integers_of_any_width(encoding: str, data: bytes) -> None:
    converter = StreamConverter(encoding=encoding, sample_rate=16_000, channels=1)
    pcm16 = b"".join(converter.push(data[i : i + 1]) for i in range(len(data)))
    assert np.frombuffer(pcm16, "<i2").tolist() == pytest.approx([0, 16384, -32768, -16384], abs=1)
