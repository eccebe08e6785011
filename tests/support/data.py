"""The clips of tests/data: their references, and their audio as canonical samples."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.audio.media import decode_chunks
from shared.audio.pcm import Float32, pcm16_to_float

DATA_DIR = Path(__file__).parent.parent / "data"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance of a joined clip. Times in seconds of the clip."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip. `text` and `language` are empty where nobody speaks."""

    name: str
    path: Path
    text: str
    language: str
    duration_s: float
    utterances: tuple[Spoken, ...]

    def pcm16(self) -> bytes:
        """The clip as 16 kHz mono pcm16."""
        return _decode(self.path)

    def samples(self) -> Float32:
        """The clip as 16 kHz mono float32."""
        return pcm16_to_float(self.pcm16())


@cache
def clips() -> dict[str, Clip]:
    """All clips by name: the file's name without its ending, as in `en_demo`."""
    lines = (DATA_DIR / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return {clip.name: clip for clip in map(_clip, map(json.loads, lines))}


def clip(name: str) -> Clip:
    """The clip of that name. Raises `KeyError`."""
    return clips()[name]


def _clip(row: dict[str, Any]) -> Clip:
    path = DATA_DIR / row["file"]
    return Clip(
        name=path.stem,
        path=path,
        text=row["text"],
        language=row["language"],
        duration_s=row["duration_s"],
        utterances=tuple(Spoken(u["start"], u["end"], u["text"]) for u in row.get("utterances", ())),
    )


@cache
def _decode(path: Path) -> bytes:
    return b"".join(decode_chunks(path, chunk_samples=16_000))
