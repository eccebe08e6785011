"""Words with times to segments: the lines of a subtitle file. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

from shared.events import Word
from shared.transcript import Segment, join
from worker.core.decode import DecodeResult

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
    for line in _lines([_moved(word, offset_s) for word in result.words]):
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


def _lines(words: list[Word]) -> Iterator[list[Word]]:
    line: list[Word] = []
    for word in words:
        if line and _ends_before(line, word):
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def _ends_before(line: list[Word], word: Word) -> bool:
    last = line[-1]
    return (
        last.text.endswith(_SENTENCE_ENDS)
        or word.start - last.end >= GAP_S
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
