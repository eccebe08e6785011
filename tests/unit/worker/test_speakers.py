"""Voices become speakers: the joining on made vectors, the encoder with its real weights."""

import struct
from pathlib import Path

import numpy as np
import pytest

from shared.audio.pcm import Float32, float_to_pcm16
from shared.errors import ModelUnavailable
from shared.models import voices
from shared.transcript import Segment, Transcript
from tests.support.data import clip
from worker.jobs.speakers import Voices, speakers_of
from worker.jobs.voice_encoder import VECTOR, VoiceEncoder


def around(axis: int, count: int, spread: float = 0.1) -> Float32:
    """Vectors of length 1 around an axis."""
    rows = np.random.default_rng(axis).normal(0, spread, (count, VECTOR)).astype(np.float32) / 16
    rows[:, axis] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("counts", [(1,), (3,), (40,), (40, 9), (30, 30, 30, 30), (2000, 500)])
def test_each_group_of_like_voices_is_a_speaker(counts: tuple[int, ...]) -> None:
    vectors = np.concatenate([around(n, count) for n, count in enumerate(counts)])
    centres = speakers_of(vectors)
    assert sorted(centres.argmax(axis=1)) == list(range(len(counts)))


def test_a_few_strange_sounds_are_no_speaker() -> None:
    assert len(speakers_of(np.concatenate([around(0, 200), around(1, 3)]))) == 1


def segment(start: float, end: float) -> Segment:
    return Segment(start=start, end=end, text="…")


@pytest.fixture(scope="module")
def encoder() -> VoiceEncoder:
    return VoiceEncoder.load(voices())


def test_two_readers_that_take_turns_are_told_apart(encoder: VoiceEncoder) -> None:
    one, two = clip("en_twain").samples(), clip("en_demo").samples()
    turns = [one[:80_000], two[:64_000], one[80_000:140_000], two[64_000:130_000]]
    ends = np.cumsum([len(turn) for turn in turns]) / 16_000
    starts = [0.0, *ends[:-1]]
    diarizer = Voices(encoder)
    pcm16 = float_to_pcm16(np.concatenate(turns))
    chunks = [[pcm16[at : at + 32_000]] for at in range(0, len(pcm16), 32_000)]
    assert list(diarizer.listening(chunks)) == chunks
    heard = Transcript(
        language="en",
        duration=float(ends[-1]),
        segments=tuple(segment(float(a), float(b)) for a, b in zip(starts, ends, strict=True)),
    )
    assert [row.speaker for row in diarizer.named(heard).segments] == ["S1", "S2", "S1", "S2"]


def test_one_reader_is_one_speaker_and_silence_none(encoder: VoiceEncoder) -> None:
    diarizer = Voices(encoder)
    pcm16 = float_to_pcm16(clip("en_wizard").samples())
    list(diarizer.listening([[pcm16]]))
    length_s = len(pcm16) / 32_000
    rows = tuple(segment(at, min(at + 2.0, length_s)) for at in np.arange(0, length_s - 1, 2.0).tolist())
    heard = Transcript(language="en", duration=length_s, segments=rows)
    assert {row.speaker for row in diarizer.named(heard).segments} == {"S1"}
    nothing = Transcript(language="", duration=length_s, segments=())
    assert diarizer.named(nothing) == nothing


@pytest.mark.parametrize("data", [b"", b"no checkpoint", struct.pack("<q", 7)])
def test_a_damaged_checkpoint_is_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    path.write_bytes(data)
    with pytest.raises(ModelUnavailable, match="can't be read"):
        VoiceEncoder.load(path)


def test_reading_a_checkpoint_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ModelUnavailable, match="can't be read"):
        VoiceEncoder.load(path)
