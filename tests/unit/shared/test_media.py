"""Files of every kind come out as canonical audio; what is not audio is refused with a sentence."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from shared.audio.media import decode_channels, decode_chunks, probe, scan_duration
from shared.audio.pcm import SAMPLE_RATE, pcm16_to_float
from shared.errors import BadAudio, BadParameter, TooLarge
from tests.support.media import (
    CODECS,
    mulaw_header,
    tone,
    write_float_wav,
    write_media,
    write_silent_video,
    write_tracks,
    write_with_cover,
)

KINDS = sorted(CODECS)
# Codecs with a filter bank begin and end with a little more than was put in.
SLACK_S = 0.15


def decoded(path: Path, **kwargs: object) -> np.ndarray:
    return pcm16_to_float(b"".join(decode_chunks(path, **kwargs)))  # pyright: ignore[reportArgumentType]


def pitch_hz(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : len(samples) * 3 // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(middle)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_comes_out_as_16_khz_mono(kind: str, tmp_path: Path) -> None:
    rate = 48_000 if CODECS[kind] == "libopus" else 44_100
    samples = tone(1.5, rate=rate)
    path = write_media(tmp_path / f"a.{kind}", np.stack([samples, samples]), rate=rate)
    heard = decoded(path)
    assert len(heard) / SAMPLE_RATE == pytest.approx(1.5, abs=SLACK_S)
    assert pitch_hz(heard) == pytest.approx(440, abs=3)
    assert float(np.sqrt(np.mean(heard[4000:20000] ** 2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)

    info = probe(path)
    assert info.channels == 2
    assert info.sample_rate == rate
    assert info.duration_s == pytest.approx(1.5, abs=SLACK_S)
    assert kind in info.container or kind == "opus"


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_the_sound_of_a_video_is_taken(kind: str, tmp_path: Path) -> None:
    path = write_media(tmp_path / f"v.{kind}", tone(1.0, rate=48_000), rate=48_000, video=True)
    assert pitch_hz(decoded(path)) == pytest.approx(440, abs=3)


def test_channels_are_mixed(tmp_path: Path) -> None:
    """A voice on one channel alone is heard."""
    path = write_media(tmp_path / "a.wav", np.stack([tone(1.0), np.zeros(SAMPLE_RATE, np.float32)]))
    assert pitch_hz(decoded(path)) == pytest.approx(440, abs=3)


def test_channels_can_be_had_each_by_itself(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.flac", np.stack([tone(1.0, hz=300), tone(1.0, hz=700)]))
    chunks = list(decode_channels(path, split=True, chunk_samples=1000))
    assert all(len(left) == len(right) <= 2000 for left, right in chunks)
    left, right = (pcm16_to_float(b"".join(parts)) for parts in zip(*chunks, strict=True))
    assert (pitch_hz(left), pitch_hz(right)) == (pytest.approx(300, abs=3), pytest.approx(700, abs=3))


def test_one_channel_is_one_when_split(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", tone(0.3))
    assert [len(chunk) for chunk in decode_channels(path, split=True, chunk_samples=1600)] == [1, 1, 1]


def test_a_track_can_be_chosen(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "a.mkv", [tone(1.0, hz=300), tone(1.0, hz=700), tone(1.0, hz=1100)])
    assert probe(path).tracks == 3
    for track, hz in enumerate((300, 700, 1100)):
        assert pitch_hz(decoded(path, track=track)) == pytest.approx(hz, abs=3)
    with pytest.raises(BadParameter, match="below 3"):
        probe(path, track=3)


def test_cover_art_is_not_in_the_way(tmp_path: Path) -> None:
    path = write_with_cover(tmp_path / "a.mp3", tone(1.0, rate=44_100), rate=44_100)
    assert pitch_hz(decoded(path)) == pytest.approx(440, abs=3)
    assert probe(path).tracks == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_suffix_of_a_name_says_nothing(kind: str, tmp_path: Path) -> None:
    rate = 48_000
    path = write_media(tmp_path / f"a.{kind}", tone(0.5, rate=rate), rate=rate)
    for name in ("a.txt", "a.wav" if kind != "wav" else "a.mp3", "upload"):
        assert len(decoded(path.rename(path.with_name(name)))) / SAMPLE_RATE == pytest.approx(
            0.5, abs=SLACK_S
        )
        path = path.with_name(name)


def test_an_open_file_is_read_like_one_on_disk(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", tone(1.0, rate=48_000), rate=48_000)
    with path.open("rb") as file:
        for _ in range(2):
            assert probe(file).duration_s == pytest.approx(1.0, abs=SLACK_S)
            assert b"".join(decode_chunks(file)) == b"".join(decode_chunks(path))
        assert not file.closed


def test_variable_bit_rate_is_of_its_true_length(tmp_path: Path) -> None:
    loud = np.random.default_rng(4).normal(0, 0.2, 4 * 44_100).astype(np.float32)
    samples = np.concatenate([np.zeros(4 * 44_100, np.float32), loud])
    path = write_media(tmp_path / "a.mp3", samples, rate=44_100, options={"qscale": "6", "flags": "+qscale"})
    assert len(decoded(path)) / SAMPLE_RATE == pytest.approx(8.0, abs=SLACK_S)


def test_the_sample_rate_may_change_in_mid_file(tmp_path: Path) -> None:
    """Streams that are joined without a container, as recorders do."""
    parts = [
        write_media(tmp_path / f"{rate}.mp3", tone(1.0, rate=rate), rate=rate).read_bytes()
        for rate in (44_100, 22_050, 48_000)
    ]
    path = tmp_path / "joined.mp3"
    path.write_bytes(b"".join(parts))
    heard = decoded(path)
    assert len(heard) / SAMPLE_RATE == pytest.approx(3.0, abs=3 * SLACK_S)
    for second in range(3):
        middle = heard[second * SAMPLE_RATE + 4000 : second * SAMPLE_RATE + 13_000]
        assert pitch_hz(middle) == pytest.approx(440, abs=6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_silence(wrong: float, tmp_path: Path) -> None:
    samples = tone(1.0)
    samples[4000:8000] = wrong
    told: list[str] = []
    heard = decoded(write_float_wav(tmp_path / "a.wav", samples), on_damage=told.append)
    assert np.abs(heard[4000:8000]).max() == 0
    assert np.abs(heard[8000:]).max() == pytest.approx(0.5, abs=0.01)
    assert len(told) == 1


def test_a_length_that_is_only_claimed_costs_nothing(tmp_path: Path) -> None:
    """100 h in the header, a second in the file."""
    path = tmp_path / "a.wav"
    path.write_bytes(mulaw_header(360_000) + b"\xff" * 8000)
    assert len(decoded(path)) == SAMPLE_RATE
    assert len(decoded(path, s_max=2.0)) == SAMPLE_RATE


def test_audio_without_end_is_cut_off_with_an_error(tmp_path: Path) -> None:
    """A file that is small on disk and long when it is decoded."""
    path = write_media(tmp_path / "a.flac", np.zeros(60 * SAMPLE_RATE, np.float32))
    assert path.stat().st_size < 60_000
    chunks = decode_chunks(path, s_max=10.0)
    with pytest.raises(TooLarge, match="10 s"):
        for _ in chunks:
            pass


def test_canonical_wav_comes_out_unchanged(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", tone(0.3))
    expected = (tone(0.3) * 32767).astype("<i2").tobytes()
    assert b"".join(decode_chunks(path)) == expected


@pytest.mark.parametrize("chunk_samples", [160, 1000, 16_000, 50_000])
def test_chunks_have_the_length_that_was_asked_for(chunk_samples: int, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", tone(1.03))
    chunks = list(decode_chunks(path, chunk_samples=chunk_samples))
    assert all(len(chunk) == chunk_samples * 2 for chunk in chunks[:-1])
    assert 0 < len(chunks[-1]) <= chunk_samples * 2
    assert sum(map(len, chunks)) == 2 * round(1.03 * SAMPLE_RATE)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.flac", np.tile(tone(1.0), 240))
    tracemalloc.start()
    count = sum(len(chunk) for chunk in decode_chunks(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 240 * SAMPLE_RATE * 2
    assert peak < 1_000_000


def test_a_reader_that_leaves_early_closes_the_file(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp3", tone(5.0))
    chunks = decode_chunks(path, chunk_samples=1600)
    next(chunks)
    chunks.close()
    here = Path("/proc/self/fd")
    if here.exists():
        assert not any(fd.resolve() == path for fd in here.iterdir())


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "webm"])
def test_a_file_cut_off_in_the_middle_gives_what_is_there(kind: str, tmp_path: Path) -> None:
    rate = 48_000
    noise = np.random.default_rng(1).normal(0, 0.1, 8 * rate).astype(np.float32)
    path = write_media(tmp_path / f"a.{kind}", noise, rate=rate)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    probe(path)
    # Ogg is read by whole pages, which hold one second.
    assert len(decoded(path)) / SAMPLE_RATE == pytest.approx(4.0, abs=1.1)


def test_damage_in_the_middle_is_told_once_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.webm", tone(6.0, rate=48_000), rate=48_000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(2).bytes(3000)
    path.write_bytes(data)
    told: list[str] = []
    heard = decoded(path, on_damage=told.append)
    assert 1.0 < len(heard) / SAMPLE_RATE < 6.5
    assert len(told) <= 1


def broken_files(folder: Path) -> dict[str, Path]:
    files = {name: folder / name for name in ("empty", "text", "noise", "headless", "header")}
    files["empty"].write_bytes(b"")
    files["text"].write_text("This is a letter, not a recording.\n" * 50)
    files["noise"].write_bytes(np.random.default_rng(3).bytes(20_000))
    mp4 = write_media(folder / "whole.mp4", tone(2.0, rate=48_000), rate=48_000).read_bytes()
    files["headless"].write_bytes(mp4[: len(mp4) // 2])  # its index is at the end
    wav = write_media(folder / "whole.wav", tone(1.0)).read_bytes()
    files["header"].write_bytes(wav[:20])
    files["only_header"] = folder / "only_header.wav"
    files["only_header"].write_bytes(wav[:44])
    files["video"] = write_silent_video(folder / "mute.mp4")
    return files


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "is empty"),
        ("text", "not audio"),
        ("noise", "audio"),
        ("headless", "cut off"),
        ("header", "cut off"),
        ("only_header", "no audio that can be decoded|cut off"),
        ("video", "no audio stream"),
    ],
)
def test_what_is_not_audio_is_refused_with_a_sentence(name: str, reason: str, tmp_path: Path) -> None:
    path = broken_files(tmp_path)[name]
    with pytest.raises(BadAudio, match=reason):
        probe(path)
    with pytest.raises(BadAudio, match=reason):
        list(decode_chunks(path))


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
    ],
    ids=["hls", "concat"],
)
def test_a_list_that_names_another_file_does_not_open_it(text: str, tmp_path: Path) -> None:
    write_media(tmp_path / "other.wav", tone(1.0))
    for name in ("upload", "upload.m3u8"):
        path = tmp_path / name
        path.write_text(text.format("other.wav"))
        with pytest.raises(BadAudio):
            list(decode_chunks(path))


@pytest.mark.parametrize("kind", ["webm", "mp3", "ogg"])
def test_the_length_of_a_file_can_be_found_by_reading_it(kind: str, tmp_path: Path) -> None:
    path = write_media(tmp_path / f"a.{kind}", tone(2.0, rate=48_000), rate=48_000)
    assert scan_duration(path) == pytest.approx(2.0, abs=SLACK_S)
