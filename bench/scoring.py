"""Text against reference: normalisation, word errors, and which word stands for which. Pure.

Two forms of a text are compared, and they are not the same words:

* `normalise` gives the form for error rates: Whisper's own normalisers, which also write numbers as digits,
  expand contractions and unify spelling, so that style is not counted as error.
* `words_of` gives the words as they stand on a screen, without case and punctuation: latency is a property of
  displayed words, so none may be merged or split.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

Int64 = NDArray[np.int64]

_EDGES = re.compile(r"^\W+|\W+$")


@functools.cache
def _normaliser(english: bool) -> EnglishTextNormalizer | BasicTextNormalizer:
    return EnglishTextNormalizer() if english else BasicTextNormalizer()


def normalise(text: str, language: str = "en") -> str:
    """`text` in the form in which errors are counted."""
    return str(_normaliser(language == "en")(text)).strip()


def words_of(text: str) -> tuple[str, ...]:
    """The words that `text` shows, without case and the punctuation around them. Scripts without spaces are
    not split."""
    bare = (_EDGES.sub("", word).casefold().replace("’", "'") for word in text.split())
    return tuple(word for word in bare if word)


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Counts behind a word error rate. Add them up over texts; never average rates."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    words: int = 0
    """Words of the reference."""

    @property
    def rate(self) -> float:
        """Word error rate, 0 for none; NaN when there is no reference."""
        errors = self.substitutions + self.deletions + self.insertions
        return errors / self.words if self.words else float("nan")

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )


def word_errors(reference: str, hypothesis: str, language: str = "en") -> WordErrors:
    """Errors of `hypothesis`, after normalisation of both."""
    out = jiwer.process_words(normalise(reference, language), normalise(hypothesis, language))
    words = out.hits + out.substitutions + out.deletions
    return WordErrors(out.substitutions, out.deletions, out.insertions, words)


def errors_by_word(reference: Sequence[str], hypothesis: Sequence[str]) -> Int64:
    """For each normalised word of the reference the errors that stand at it, as rows of substitutions,
    deletions and insertions; an insertion stands at the word that it comes before, or at the last."""
    counts = np.zeros((len(reference), 3), np.int64)
    (chunks,) = jiwer.process_words(" ".join(reference), " ".join(hypothesis)).alignments
    column = {"substitute": 0, "delete": 1}
    for chunk in chunks:
        if chunk.type == "insert":
            at = min(chunk.ref_start_idx, len(reference) - 1)
            counts[at, 2] += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type != "equal":
            counts[chunk.ref_start_idx : chunk.ref_end_idx, column[chunk.type]] += 1
    return counts


def difference_interval(
    ours: Sequence[int], theirs: Sequence[int], words: Sequence[int], *, seed: int = 1, draws: int = 10_000
) -> tuple[float, float]:
    """The middle 95 % of the difference of two word error rates on the same blocks of text, drawn again with
    replacement (paired bootstrap; Bisani and Ney 2004, "Bootstrap Estimates for Confidence Intervals in ASR
    Performance Evaluation"). The sequences hold errors and reference words of each block."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(words), (draws, len(words)))
    more = (np.asarray(ours) - np.asarray(theirs))[chosen].sum(axis=1)
    low, high = np.percentile(more / np.asarray(words)[chosen].sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


LEFT_OUT_WORDS = 3
"""Words in succession that are missing from which on they were left out and not misheard."""


def left_out(reference: str, hypothesis: str, language: str = "en") -> int:
    """Words of the reference in stretches of `LEFT_OUT_WORDS` and more that are missing."""
    out = jiwer.process_words(normalise(reference, language), normalise(hypothesis, language))
    missing = (c.ref_end_idx - c.ref_start_idx for c in out.alignments[0] if c.type == "delete")
    return sum(length for length in missing if length >= LEFT_OUT_WORDS)


def total(errors: Iterable[WordErrors]) -> WordErrors:
    """The sum of all."""
    return sum(errors, WordErrors())


def pairs(reference: Sequence[str], hypothesis: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Positions of words that stand for each other, by Levenshtein alignment of whole words.

    Equal words, and substituted ones where as many were said as were written. Beside an insertion or a
    deletion it is arbitrary which word replaces which, so those are left out.
    """
    (chunks,) = jiwer.process_words(" ".join(reference), " ".join(hypothesis)).alignments
    kinds = ["equal", *(chunk.type for chunk in chunks), "equal"]
    for index, chunk in enumerate(chunks):
        beside = {kinds[index], kinds[index + 2]}
        if chunk.type == "equal" or (chunk.type == "substitute" and beside == {"equal"}):
            yield from zip(
                range(chunk.ref_start_idx, chunk.ref_end_idx),
                range(chunk.hyp_start_idx, chunk.hyp_end_idx),
                strict=True,
            )


def shown(partial: Sequence[str], final: Sequence[str]) -> frozenset[int]:
    """Positions of the words of `final` that `partial` shows already.

    `partial` is aligned with the beginning of `final` that it fits best (the shortest such one), because the
    rest was not spoken yet.
    """
    rows = _distances(partial, final)
    at = min(range(len(final) + 1), key=lambda j: rows[-1][j])
    hits: set[int] = set()
    row = len(partial)
    while row and at:
        equal = partial[row - 1] == final[at - 1]
        if rows[row][at] == rows[row - 1][at - 1] + (not equal):
            if equal:
                hits.add(at - 1)
            row, at = row - 1, at - 1
        elif rows[row][at] == rows[row - 1][at] + 1:
            row -= 1
        else:
            at -= 1
    return frozenset(hits)


def _distances(left: Sequence[str], right: Sequence[str]) -> list[list[int]]:
    """Levenshtein distances of all beginnings of `left` from all of `right`."""
    rows = [list(range(len(right) + 1))]
    for i, word in enumerate(left, 1):
        row = [i]
        for j, other in enumerate(right, 1):
            row.append(min(rows[-1][j - 1] + (word != other), rows[-1][j] + 1, row[-1] + 1))
        rows.append(row)
    return rows


@dataclass(frozen=True, slots=True)
class Spread:
    """A sample of seconds in a few numbers; all NaN when it is empty."""

    count: int
    p50: float
    p90: float
    p95: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Percentiles by linear interpolation."""
        if not values:
            return cls(0, *(float("nan"),) * 4)
        return cls(len(values), *(round(float(v), 4) for v in np.percentile(values, (50, 90, 95, 100))))
