"""Beam search over what a model expects next, without a model: which hypotheses go on, which is the text.

CTranslate2 searches inside its own library; a backend that gives no more than the probabilities of next
tokens is searched here by the same rules, so that both find the same text (`BeamSearch::search` of its
decoding.cc): twice as many candidates as beams are looked at, a hypothesis that ends makes room for the best
one that does not, as many ended ones as there are beams end the search, and the best of them by mean
log-probability is the text. With one beam, that is greedy decoding.

The transformers library's own search differs in three points, each of which can change words: it ends later,
once no hypothesis that goes on can beat those in hand; it counts the token of the end in the mean; and it
takes log-probabilities before tokens are forbidden, so that what was forbidden is missing from them.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from worker.engine.prompt import Heard


@dataclass(frozen=True, slots=True)
class Expected:
    """Likely continuations of one hypothesis, likeliest first, with their log-probabilities."""

    tokens: Sequence[int]
    logprobs: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    tokens: tuple[int, ...]
    logprob: float
    parent: int = 0
    """Its place among the hypotheses before the last step."""

    @property
    def merit(self) -> float:
        """By which ended hypotheses are compared. One without text is the last resort."""
        return self.logprob / len(self.tokens) if self.tokens else -math.inf


class BeamSearch:
    """One row's search for a text of at most `budget` tokens, which `end` ends."""

    def __init__(self, *, beam: int, budget: int, end: int) -> None:
        self._beam = beam
        self._budget = budget
        self._end = end
        self._live = [_Hypothesis((), 0.0)]
        self._ended: list[_Hypothesis] = []

    @property
    def wanted(self) -> int:
        """Continuations of each hypothesis that `advance` needs."""
        return 2 * self._beam

    @property
    def live(self) -> list[tuple[int, ...]]:
        """The tokens of the hypotheses that go on; none when the search is over."""
        return [hypothesis.tokens for hypothesis in self._live]

    @property
    def parents(self) -> list[int]:
        """For each of `live`, which of those before the last step it continues."""
        return [hypothesis.parent for hypothesis in self._live]

    @property
    def heard(self) -> Heard:
        """The text, once the search is over."""
        best = max(self._ended, key=lambda hypothesis: hypothesis.merit)
        said = tuple(token for token in best.tokens if token < self._end)  # what lies beyond marks times
        return Heard(said, best.logprob / (len(best.tokens) + 1) if said else 0.0)

    def advance(self, expected: Sequence[Expected]) -> None:
        """A step: what each of `live` is expected to go on with."""
        candidates = heapq.nlargest(
            self.wanted,
            (
                _Hypothesis((*before.tokens, token), before.logprob + logprob, parent)
                for parent, (before, after) in enumerate(zip(self._live, expected, strict=True))
                for token, logprob in zip(after.tokens, after.logprobs, strict=True)
            ),
            key=lambda candidate: candidate.logprob,
        )
        first, others = candidates[: self._beam], candidates[self._beam :]
        is_last = len(first[0].tokens) >= self._budget
        spare = (other for other in others if other.tokens[-1] != self._end)
        self._live = []
        for candidate in first:
            ends = candidate.tokens[-1] == self._end
            if ends or is_last:
                said = candidate.tokens[:-1] if ends else candidate.tokens
                self._ended.append(_Hypothesis(said, candidate.logprob))
                self._live += islice(spare, 1)
            else:
                self._live.append(candidate)
        if is_last or len(self._ended) >= self._beam:
            self._live = []
