"""Conversations made of recordings of one speaker each, in which it is known who speaks when; and how well
somebody tells the speakers apart."""

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.dataset import BadData
from shared.audio.media import decode_chunks
from shared.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, to_samples, to_seconds
from worker.engine.silero import SileroVad
from worker.jobs.cutter import Cutter, CutterConfig
from worker.jobs.splitter import Splitter

_PIECES: Final = CutterConfig(window_s_max=6.0, search_s=4.0, silence_s=0.9, overlap_s=0.0)
"""What is said without a break: cut at pauses."""
_PIECE_S_MIN: Final = 1.0
_OF_EACH_S: Final = 240.0
"""Most of one speaker that is cut into pieces."""
_TURN_PIECES: Final = (1, 3)
_PAUSE_S: Final = (0.1, 0.8)

Voices = Mapping[str, Sequence[bytes]]
"""What there is of each speaker, in pieces of canonical pcm16."""


@dataclass(frozen=True, slots=True)
class Turn:
    """From when to when somebody has the word, in seconds."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns and their audio, as canonical pcm16. Nobody interrupts anybody."""

    turns: tuple[Turn, ...]
    pcm16: bytes

    @property
    def speakers(self) -> int:
        """How many take part."""
        return len({turn.speaker for turn in self.turns})


def voices_of(folder: Path, speakers: Sequence[str], *, language: str = "en") -> Voices:
    """Pieces of these speakers of a data folder's manifest. Raises `BadData` for one that it lacks."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    found: dict[str, list[bytes]] = {}
    for speaker in speakers:
        own = [row for row in rows if row.get("speaker") == speaker and row["language"] == language]
        pieces: list[bytes] = []
        for row in own:
            if sum(map(len, pieces)) < _OF_EACH_S * SAMPLE_RATE * SAMPLE_BYTES:
                pieces += _pieces(folder / str(row.get("audio") or row.get("file")))
        if not pieces:
            raise BadData(f"{folder} has nothing of {speaker!r} in language {language!r}")
        found[speaker] = pieces
    return found


def _pieces(path: Path) -> list[bytes]:
    splitter, pieces = Splitter(SileroVad().frames, Cutter(_PIECES)), list[bytes]()
    for chunk in decode_chunks(path):
        pieces += [stretch.pcm16 for stretch in splitter.push(chunk)]
        if splitter.samples > _OF_EACH_S * SAMPLE_RATE:
            break
    pieces += [stretch.pcm16 for stretch in splitter.flush()]
    return [piece for piece in pieces if len(piece) >= _PIECE_S_MIN * SAMPLE_RATE * SAMPLE_BYTES]


def conversation(voices: Voices, *, seconds: float, seed: int) -> Conversation:
    """Turns of one to three pieces, with pauses of 0.1 to 0.8 s between them, until all is `seconds` long.
    The same for the same seed."""
    rng = random.Random(seed)
    left = {name: rng.sample(list(pieces), len(pieces)) for name, pieces in voices.items()}
    turns: list[Turn] = []
    audio = bytearray()
    while to_seconds(len(audio) // SAMPLE_BYTES) < seconds:
        others = [name for name in left if left[name] and (not turns or name != turns[-1].speaker)]
        if not others and not (others := [name for name in left if left[name]]):
            break
        # Everyone has a word before anyone has a second one.
        silent = [name for name in others if name not in {turn.speaker for turn in turns}]
        speaker = rng.choice(silent or others)
        start_s = to_seconds(len(audio) // SAMPLE_BYTES)
        for _ in range(rng.randint(*_TURN_PIECES)):
            audio += left[speaker].pop() if left[speaker] else b""
        turns.append(Turn(start_s, to_seconds(len(audio) // SAMPLE_BYTES), speaker))
        audio += bytes(to_samples(rng.uniform(*_PAUSE_S)) * SAMPLE_BYTES)
    return Conversation(tuple(turns), bytes(audio))


def wrong_words(turns: Sequence[Turn], words: Iterable[tuple[float, str]]) -> tuple[int, int]:
    """How many words of a transcript are given to the wrong speaker, and how many there are. A word is its
    middle, in seconds, and the name that it got; it belongs to whose turn it is then, or was nearest. Names
    stand for speakers as fits best, each for one (as in DER and in WDER, Shafey et al., 2019; but by times,
    so that misheard words count like others)."""
    pairs = Counter((_speaker_at(turns, at_s), name) for at_s, name in words)
    speakers = sorted({speaker for speaker, _ in pairs})
    names = sorted({name for _, name in pairs})
    # A name that is nobody's, where there are more speakers than names.
    padded = names + [""] * max(0, len(speakers) - len(names))
    right = max(
        (
            sum(pairs[pair] for pair in zip(speakers, chosen, strict=True))
            for chosen in itertools.permutations(padded, len(speakers))
        ),
        default=0,
    )
    return pairs.total() - right, pairs.total()


def _speaker_at(turns: Sequence[Turn], at_s: float) -> str:
    return min(turns, key=lambda turn: max(turn.start_s - at_s, at_s - turn.end_s, 0.0)).speaker
