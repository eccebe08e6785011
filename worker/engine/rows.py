"""Rows of a batch on their way through Whisper: what goes in, what comes out, how far to believe it."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from faster_whisper.tokenizer import Tokenizer

from shared.audio.pcm import Float32
from shared.events import Word
from worker.core.decode import DecodeRequest, Kind
from worker.core.filters import (
    AVG_LOGPROB,
    COMPRESSION_RATIO,
    NO_SPEECH_PROB,
    compression_ratio,
    ends_in_repeat,
)
from worker.core.hypothesis import fold, units
from worker.core.window import FRAMES_MAX, is_runaway
from worker.engine.prompt import Heard, Prompt

APPENDED: Final = "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word before it."""


Group = tuple[int, int, float, bool, int]
"""What rows of one call agree in."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request on its way through a batch."""

    request: DecodeRequest
    tokenizer: Tokenizer
    detected: str
    """What detection said; empty where it was not asked."""
    language_probability: float
    encoded: Any
    """Encoder states, [1, frames / 2, width]."""
    frames: int
    """Mel frames of the window, padding included."""
    prompt: Prompt
    encode_s: float
    """Time for log-mel and encoder."""

    @property
    def kin(self) -> Group:
        """Rows that may be decoded together if their prompts can be cut to one length: their windows are of
        one length, and they are decoded alike."""
        r = self.request
        return (self.frames, r.beam, r.temperature, r.no_digits, len(self.prompt.task))

    @property
    def group(self) -> tuple[Group, int]:
        """Rows of one call: their prompts are of one length."""
        return self.kin, len(self.prompt.tokens)


@dataclass(frozen=True, slots=True)
class Output:
    """Tokens of one row, left and prefix included, with the model's own opinion of them. `text` is without
    left."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    runaway: bool
    steps: int
    temperature: float


def read_word(item: Any) -> Word:
    return Word(
        text=item["word"].strip(),
        start=round(float(item["start"]), 3),
        end=round(float(item["end"]), 3),
        probability=round(float(item["probability"]), 4),
    )


def behind(left: str, words: list[Word]) -> tuple[Word, ...]:
    """The words that follow those of `left`, told by their letters: how text is cut into words depends on
    what follows."""
    before = len("".join(left.split()))
    kept: list[Word] = []
    for word in words:
        if before <= 0:
            kept.append(word)
        before -= len("".join(word.text.split()))
    return tuple(kept)


def is_partial(row: Row) -> bool:
    return row.request.kind is Kind.PARTIAL


def is_doubtful(output: Output) -> bool:
    """The reference implementation's reasons to decode again."""
    if output.no_speech_prob > NO_SPEECH_PROB and output.avg_logprob < AVG_LOGPROB:
        return False  # silence; another temperature only invents text
    return output.runaway or output.compression_ratio > COMPRESSION_RATIO or output.avg_logprob < AVG_LOGPROB


def softmax(logits: Float32) -> Float32:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def merit(output: Output) -> tuple[bool, float]:
    return not output.runaway and output.compression_ratio <= COMPRESSION_RATIO, output.avg_logprob


def _is_loop(row: Row, text: str, tokens: tuple[int, ...]) -> bool:
    """A repeated end in a short window; with the full window it is taken to be what was said."""
    if row.frames >= FRAMES_MAX:
        return False
    # Punctuation and case may differ between the two.
    folded = [fold(unit) for unit in units(text)]
    return ends_in_repeat(tokens) or ends_in_repeat(folded)


def read_output(row: Row, heard: Heard, no_speech_prob: float, temperature: float = 0.0) -> Output:
    tokens = (*row.prompt.prefix, *heard.tokens)
    text = str(row.tokenizer.decode(list(tokens))).strip()
    if row.request.left:
        # Punctuation right behind what was said before still belongs to that.
        text = text.removeprefix(row.request.left).lstrip(APPENDED + " ")
    language = row.tokenizer.language_code
    return Output(
        tokens=tokens,
        text=text,
        avg_logprob=heard.avg_logprob,
        no_speech_prob=no_speech_prob,
        compression_ratio=compression_ratio(text) if text else 1.0,
        runaway=is_runaway(len(heard.tokens), row.request.own_s, language) or _is_loop(row, text, tokens),
        steps=len(heard.tokens) + 1,
        temperature=temperature,
    )
