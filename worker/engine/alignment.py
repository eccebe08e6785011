"""Words with times and the model's tokens under them, by cross-attention, as faster-whisper finds them."""

import math
from collections.abc import Iterator
from typing import Any, Final, cast

from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations

from shared.events import Word
from shared.transcript import Token
from worker.engine.rows import APPENDED, read_word

_PREPENDED: Final = "\"'“¿([{-"
_PROBABILITY_MIN: Final = 1e-10
"""The logarithm of less says nothing, and of 0 is no number."""


class _Listening:
    """Stands in for the model in faster-whisper's alignment, which gives no more than the mean probability
    of a word: keeps those of its tokens."""

    def __init__(self, whisper: WhisperModel) -> None:
        self._model: Any = whisper.model
        self.model = self
        self.tokens_per_second = whisper.tokens_per_second
        self.probabilities: list[float] = []

    def align(self, *arguments: Any, **options: Any) -> Any:
        results = self._model.align(*arguments, **options)
        self.probabilities = [float(p) for p in results[0].text_token_probs]
        return results


def align(
    whisper: WhisperModel, tokenizer: Tokenizer, tokens: tuple[int, ...], encoded: Any, frames: int
) -> list[tuple[Word, tuple[Token, ...]]]:
    """The words that the tokens say, each with its tokens. `frames` of the window hold audio."""
    if not tokens:
        return []
    listening = _Listening(whisper)
    found = WhisperModel.find_alignment(
        cast(WhisperModel, listening), tokenizer, cast(Any, [list(tokens)]), encoded, frames
    )
    items = cast(list[Any], found[0])
    merge_punctuations(cast(Any, items), _PREPENDED, APPENDED)
    probabilities = iter(listening.probabilities)
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
