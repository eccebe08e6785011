"""Streams to play: utterances of a data folder joined with pauses, and programs made of streams.

A data folder has `manifest.jsonl` (per clip: `audio` or `file`, `text`, `language`) and `streams.jsonl` (per
stream: `stream`, `files`, `gap_s`). tests/data is one; larger ones are given with `--data`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.audio.media import decode_chunks
from shared.audio.pcm import SAMPLE_BYTES, to_samples, to_seconds

BUNDLED = Path(__file__).parent.parent / "tests" / "data"

PAUSE_S = 1.0
"""Silence between the passages of a program, and at its end, so that its last utterance ends by itself."""


class BadData(ValueError):
    """The data folder is not one; the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One stream of the data folder: what is said, and its audio as canonical pcm16. Pauses are digital
    silence."""

    name: str
    language: str
    text: str
    pcm16: bytes
    clips_s: tuple[tuple[float, float], ...] = ()
    """Where each of its clips begins and ends, in seconds."""

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return to_seconds(len(self.pcm16) // SAMPLE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What one session plays: passages one after another."""

    passages: tuple[Passage, ...]
    pcm16: bytes

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return to_seconds(len(self.pcm16) // SAMPLE_BYTES)

    def starts(self) -> Iterator[tuple[float, Passage]]:
        """Each passage with where it begins, in seconds of the program."""
        at_s = 0.0
        for passage in self.passages:
            yield at_s, passage
            at_s += passage.duration_s + PAUSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One utterance of the data folder, as canonical pcm16."""

    name: str
    text: str
    pcm16: bytes

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return to_seconds(len(self.pcm16) // SAMPLE_BYTES)


def clips(folder: Path, *, language: str = "en", longest_s: float) -> list[Clip]:
    """The folder's clips of speech in one language that are no longer than that. Raises `BadData`."""
    rows = [
        row
        for row in _rows(folder / "manifest.jsonl")
        if row["language"] == language and row.get("text") and row["duration_s"] <= longest_s
    ]
    named = [(str(row.get("audio") or row.get("file")), str(row["text"])) for row in rows]
    return [Clip(name=name, text=text, pcm16=_decoded(folder / name)) for name, text in named]


def load(folder: Path, *, language: str = "en") -> list[Passage]:
    """The folder's streams in one language. A stream of clips that earlier streams have already is left out.
    Raises `BadData`."""
    clips = {str(row.get("audio") or row.get("file")): row for row in _rows(folder / "manifest.jsonl")}
    passages: list[Passage] = []
    played: set[str] = set()
    for row in _rows(folder / "streams.jsonl"):
        files: list[str] = row["files"]
        if missing := [name for name in files if name not in clips]:
            raise BadData(f"stream {row['stream']} names {missing[0]}, which manifest.jsonl does not have")
        languages = {clips[name]["language"] for name in files}
        if languages == {language} and not played.issuperset(files):
            passages.append(_passage(folder, row, clips))
            played.update(files)
    if not passages:
        raise BadData(f"{folder} has no stream in language {language!r}")
    return passages


_REST_GAP_S = 0.8


def everything(folder: Path, *, language: str) -> list[Passage]:
    """All speech of the folder in one language, each clip once: its streams, its recordings, and the clips
    that are in no stream, those of one source together with pauses between them. Long clips whose reference
    is not what is said (`ref_note`) are left out; for utterances the note names the source. Raises
    `BadData`."""
    rows = {str(row.get("audio") or row.get("file")): row for row in _rows(folder / "manifest.jsonl")}
    # The normaliser of word errors leaves out what stands in brackets; here it is read aloud.
    for row in rows.values():
        row["text"] = (row.get("text") or "").translate({ord(bracket): " " for bracket in "()[]"})
    own = {n: r for n, r in rows.items() if r["language"] == language and r["text"]}
    streams = [row for row in _rows(folder / "streams.jsonl") if own.keys() >= set(row["files"])]
    passages = load(folder, language=language) if streams else []
    played = {name for row in streams for name in row["files"]}
    rest: dict[str, list[str]] = {}
    for name, row in own.items():
        is_long = row["duration_s"] >= LONG_S
        if name not in played and not (is_long and row.get("ref_note")):
            rest.setdefault(name if is_long else f"{Path(name).parent.name} {language}", []).append(name)
    made = ({"stream": name, "files": files, "gap_s": _REST_GAP_S} for name, files in rest.items())
    passages += [_passage(folder, row, rows) for row in made]
    if not passages:
        raise BadData(f"{folder} has no speech in language {language!r}")
    return passages


LONG_S: Final = 100.0
"""A clip or stream from this length on is a recording, not an utterance."""


def recordings(folder: Path, *, language: str = "en", minutes: float) -> list[Program]:
    """The folder's long clips and streams, joined to recordings of at least `minutes` as far as they reach;
    all its streams if it has nothing long. Clips whose reference is not what is said (`ref_note`) are left
    out. Raises `BadData`."""
    clips = {str(row.get("audio") or row.get("file")): row for row in _rows(folder / "manifest.jsonl")}
    rest = [
        Passage(name=name, language=language, text=row["text"], pcm16=_decoded(folder / name))
        for name, row in clips.items()
        if row["language"] == language and row.get("text") and not row.get("ref_note")
        if row["duration_s"] >= LONG_S
    ]
    for row in _rows(folder / "streams.jsonl"):
        if {clips[name]["language"] for name in row["files"]} == {language}:
            stream = _passage(folder, row, clips)
            rest += [stream] if stream.duration_s >= LONG_S else []
    rest = rest or load(folder, language=language)
    made: list[Program] = []
    while rest:
        made.append(_program(rest, 0, minutes * 60))
        rest = rest[len(made[-1].passages) :]
    return made


def programs(passages: Sequence[Passage], *, count: int, seconds: float) -> list[Program]:
    """What `count` sessions play, at least `seconds` each unless all passages together are shorter.

    Session n starts with passage n and goes round, so sessions differ as far as the passages allow. Sessions
    that play the same share it.
    """
    turns = [_program(passages, first, seconds) for first in range(min(count, len(passages)))]
    return [turns[n % len(turns)] for n in range(count)]


def _program(passages: Sequence[Passage], first: int, seconds: float) -> Program:
    chosen: list[Passage] = []
    pieces: list[bytes] = []
    length_s = 0.0
    for passage in (*passages[first:], *passages[:first]):
        if chosen and length_s >= seconds:
            break
        chosen.append(passage)
        pieces += [passage.pcm16, _silence(PAUSE_S)]
        length_s += passage.duration_s + PAUSE_S
    return Program(passages=tuple(chosen), pcm16=b"".join(pieces))


def _passage(folder: Path, row: dict[str, Any], clips: dict[str, dict[str, Any]]) -> Passage:
    pieces = [_decoded(folder / name) for name in row["files"]]
    return Passage(
        name=row["stream"],
        language=clips[row["files"][0]]["language"],
        text=" ".join(clips[name]["text"] for name in row["files"]),
        pcm16=_silence(row["gap_s"]).join(pieces),
        clips_s=tuple(_places(pieces, row["gap_s"])),
    )


def _places(pieces: Sequence[bytes], gap_s: float) -> Iterator[tuple[float, float]]:
    at_s = 0.0
    for piece in pieces:
        end_s = at_s + to_seconds(len(piece) // SAMPLE_BYTES)
        yield at_s, end_s
        at_s = end_s + gap_s


def _decoded(path: Path) -> bytes:
    return b"".join(decode_chunks(path))


def _silence(seconds: float) -> bytes:
    return bytes(to_samples(seconds) * SAMPLE_BYTES)


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise BadData(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadData(f"{path} is not JSON lines: {error}") from error
