"""Speech in a window of a file that its text leaves out. Pure.

Without timestamp tokens Whisper may leave out whole sentences: it begins behind a pause with what is said
there, or ends at one (docs/engine.md, "Files"). The times of the words that it did say give that away: much
speech lies between the beginnings of two words. Such a window is cut at a pause beside the hole and its
parts are decoded by themselves.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shared.events import Word
from shared.transcript import join
from worker.core.decode import DecodeResult
from worker.core.filters import AVG_LOGPROB, spoken_words

HOLE_S: Final = 1.8
"""Speech from the beginning of a word to that of the next from which on something is missing. Longer words
are rare; a mistake costs a second decode."""
_BESIDE_S: Final = 1.5
"""A pause so far from a hole may be what made it."""
_PART_S_MIN: Final = 1.0

Speech = Sequence[tuple[float, float]]
"""Stretches of a window with speech, in seconds of the window, in order."""


def find_hole(words: Sequence[Word], speech: Speech, duration_s: float) -> tuple[float, float] | None:
    """The largest stretch with speech that no word stands for, in seconds of the window; None when there is
    none of `HOLE_S`."""
    starts = [0.0, *(min(word.start, duration_s) for word in words), duration_s]
    spoken_s, number = max(
        (spoken(speech, left, right), -n) for n, (left, right) in enumerate(itertools.pairwise(starts))
    )
    return (starts[-number], starts[1 - number]) if spoken_s > HOLE_S else None


def spoken(speech: Speech, from_s: float, to_s: float) -> float:
    """Seconds of speech between two times."""
    return sum(max(0.0, min(end, to_s) - max(start, from_s)) for start, end in speech)


def cut_beside(hole: tuple[float, float], speech: Speech, duration_s: float) -> float | None:
    """Where to cut a window that has a hole: in the longest pause beside it or in it, else in the longest of
    all; None where there is no pause."""
    pauses = [(left, right) for (_, left), (right, _) in itertools.pairwise(speech)]
    pauses = [
        (left, right)
        for left, right in pauses
        if _PART_S_MIN <= (left + right) / 2 <= duration_s - _PART_S_MIN
    ]
    beside = [p for p in pauses if hole[0] - _BESIDE_S <= (p[0] + p[1]) / 2 <= hole[1] + _BESIDE_S]
    if not pauses:
        return None
    left, right = max(beside or pauses, key=lambda pause: pause[1] - pause[0])
    return (left + right) / 2


def in_parts(whole: DecodeResult, parts: Sequence[DecodeResult], cut_s: float) -> DecodeResult:
    """What the two parts of a window say, if it is more than the whole says and as sure; else the whole. The
    second part begins at `cut_s`."""
    first, second = parts
    text = join(first.text, second.text)
    avg_logprob = min(first.avg_logprob, second.avg_logprob)
    if spoken_words(text) <= spoken_words(whole.text) or avg_logprob < AVG_LOGPROB:
        return whole
    moved = (replace(word, start=word.start + cut_s, end=word.end + cut_s) for word in second.words)
    return replace(
        whole,
        text=text,
        words=(*first.words, *moved),
        tokens=(*first.tokens, *second.tokens),
        temperature=max(first.temperature, second.temperature),
        avg_logprob=avg_logprob,
        no_speech_prob=max(first.no_speech_prob, second.no_speech_prob),
        compression_ratio=max(first.compression_ratio, second.compression_ratio),
        runaway=first.runaway or second.runaway,
    )
