"""Words with times and the model's tokens under them, by cross-attention, as faster-whisper finds them."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations

from shared.events import Word
from shared.transcript import Token
from worker.core.window import FRAMES_PER_S
from worker.engine.backend import Backend
from worker.engine.encoder import FRAME_SAMPLES
from worker.engine.rows import APPENDED, Output, Row, behind, read_word

_PREPENDED: Final = "\"'“¿([{-"
_PROBABILITY_MIN: Final = 1e-10
"""The logarithm of less says nothing, and of 0 is no number."""

TimedWords = Sequence[tuple[Word, tuple[Token, ...]]]
"""Words, each with its tokens."""


class _Aligning:
    """Stands in for `WhisperModel` in its alignment, which gives no more than the mean probability of a word:
    keeps those of its tokens, row by row."""

    tokens_per_second: Final = FRAMES_PER_S // 2

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.model = self
        self.probabilities: list[list[float]] = []

    def align(self, encoded: Any, start: Any, texts: Any, frames: Any, **_: Any) -> Any:
        results = self._backend.align(encoded, start, texts, frames)
        self.probabilities += [[float(p) for p in result.text_token_probs] for result in results]
        return results


def word_times(backend: Backend, rows: Sequence[Row], outputs: Sequence[Output]) -> list[TimedWords]:
    """The words of each row that wants them, behind its left context; none where the text is not usable. Rows
    that fit together are aligned in one call."""
    words: list[TimedWords] = [()] * len(rows)
    calls: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for i, (row, output) in enumerate(zip(rows, outputs, strict=True)):
        if row.request.words and output.tokens and not output.runaway:
            calls[row.frames, row.tokenizer.language_code].append(i)
    for indexes in calls.values():
        tokenizer = rows[indexes[0]].tokenizer
        aligning = _Aligning(backend)
        found = WhisperModel.find_alignment(
            cast(WhisperModel, aligning),
            tokenizer,
            cast(Any, [list(outputs[i].tokens) for i in indexes]),
            cast(Any, [rows[i].encoded for i in indexes]),
            cast(Any, [_own_frames(rows[i]) for i in indexes]),
        )
        for i, items, probabilities in zip(indexes, found, aligning.probabilities, strict=True):
            timed = _read(tokenizer, cast(list[Any], items), iter(probabilities))
            kept = behind(rows[i].request.left, [word for word, _ in timed])
            words[i] = timed[len(timed) - len(kept) :]
    return words


def _read(tokenizer: Tokenizer, items: list[Any], probabilities: Iterator[float]) -> TimedWords:
    merge_punctuations(cast(Any, items), _PREPENDED, APPENDED)
    words: list[tuple[Word, tuple[Token, ...]]] = []
    before: tuple[Token, ...] = ()
    for item in items:
        own = before + tuple(_tokens(tokenizer, item["tokens"], probabilities))
        if item["word"].strip():
            words.append((read_word(item), own))
            before = ()
        else:
            before = own
    return words


def _own_frames(row: Row) -> int:
    return min(row.frames, max(2, len(row.request.audio) // FRAME_SAMPLES))


def _tokens(tokenizer: Tokenizer, numbers: list[int], probabilities: Iterator[float]) -> Iterator[Token]:
    for number in numbers:
        probability = max(next(probabilities, 0.0), _PROBABILITY_MIN)
        yield Token(id=number, raw=raw_text(tokenizer, number), logprob=round(math.log(probability), 4))


def raw_text(tokenizer: Tokenizer, number: int) -> str:
    """The bytes of a token, one character for each: part of a letter is no text."""
    written: str = tokenizer.tokenizer.id_to_token(number) or ""
    return "".join(chr(_BYTES.get(char, 0)) for char in written)


def _byte_table() -> dict[str, int]:
    """How byte-level BPE writes bytes as characters (Radford et al. 2019): those that can be seen stand for
    themselves, the others for the characters from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + n): byte for n, byte in enumerate(hidden)}


_BYTES: Final = _byte_table()
