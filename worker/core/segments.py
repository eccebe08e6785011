"""Words with times to segments: the lines of a subtitle file. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, cast

import sentencex

from shared.events import Word
from shared.transcript import Segment, join
from worker.core.decode import DecodeResult

_library: Any = sentencex  # it has no types
GAP_S = 0.8
"""A pause that ends a segment."""
SEGMENT_S_MAX = 12.0
SEGMENT_CHARS_MAX = 160
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


def to_segments(
    result: DecodeResult, *, offset_s: float, duration_s: float, words: bool, window_s: float | None = None
) -> tuple[Segment, ...]:
    """Cut a window's result at sentence ends, pauses and lengths; times are moved by `offset_s`. `window_s`:
    where the window began, if not there.

    A result without word times is one segment over the window.
    """
    if not result.text:
        return ()
    segment = partial(
        Segment,
        avg_logprob=round(result.avg_logprob, 4),
        no_speech_prob=round(result.no_speech_prob, 4),
        compression_ratio=round(result.compression_ratio, 4),
        temperature=result.temperature,
        seek=round(100 * (offset_s if window_s is None else window_s)),
    )
    if not result.words:
        return (segment(start=offset_s, end=offset_s + duration_s, text=result.text),)
    segments: list[Segment] = []
    tokens = iter(result.tokens)
    for line in _lines([_moved(word, offset_s) for word in result.words], result.language):
        own = [token for of_word in islice(tokens, len(line)) for token in of_word]
        segments.append(
            segment(
                start=line[0].start,
                end=line[-1].end,
                text=_text(line),
                words=tuple(line) if words else (),
                tokens=tuple(own),
            )
        )
    return tuple(segments)


def _lines(words: list[Word], language: str) -> Iterator[list[Word]]:
    ends = _sentence_ends(words, language)
    line: list[Word] = []
    for number, word in enumerate(words):
        if line and (number - 1 in ends or _is_full(line, word)):
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def _sentence_ends(words: Sequence[Word], language: str) -> set[int]:
    """The words that end a sentence: behind them is its mark, and they are no abbreviation of the language
    ("Mr.", "z.B.")."""
    marked: dict[int, int] = {}
    text = ""
    for number, word in enumerate(words):
        text = join(text, word.text)
        if word.text.endswith(_SENTENCE_ENDS):
            marked[len(text)] = number
    if not marked:
        return set()
    # Of a language that it does not know it knows the marks only.
    found = cast(list[dict[str, Any]], _library.get_sentence_boundaries(language or "en", text))
    # Its sentences end with the space behind them, if there is one.
    ends = {len(text[: int(sentence["end_index"])].rstrip()) for sentence in found}
    return {number for at, number in marked.items() if at in ends}


def _is_full(line: list[Word], word: Word) -> bool:
    return (
        word.start - line[-1].end >= GAP_S
        or word.end - line[0].start > SEGMENT_S_MAX
        or sum(len(w.text) + 1 for w in line) + len(word.text) > SEGMENT_CHARS_MAX
    )


def _text(line: list[Word]) -> str:
    text = ""
    for word in line:
        text = join(text, word.text)
    return text


def _moved(word: Word, offset_s: float) -> Word:
    return replace(word, start=round(word.start + offset_s, 3), end=round(word.end + offset_s, 3))
