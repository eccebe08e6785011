"""Files of every kind come out as canonical audio; what is not audio is refused with a sentence."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from shared.audio.media import decode_chunks, probe, scan_duration
from shared.audio.pcm import SAMPLE_RATE, pcm16_to_float
from shared.errors import BadAudio
from tests.support.media import CODECS, tone, write_media, write_silent_video

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
