"""What is said in the end of an utterance that was committed in part: the final's text begins with that part
literally, whatever the final heard. Pure.

On an idle device a final is decoded with nothing forced, which is the better text; only where it says other
words than what is committed is it decoded again, made to begin with that (docs/adr/0003). On a busy device it
is made to begin so at once: what is committed costs no steps of the decoder. The decoder may take a forced
sentence for the end. Then the partials have heard more, and the free decode is made after all.
"""

from dataclasses import dataclass, replace
from typing import Final

from worker.core.decode import DecodeResult
from worker.core.filters import fuller, spoken_words
from worker.core.hypothesis import beginning, keep_stable
from worker.core.utterance import Asked, Utterance

_FEWER_WORDS: Final = 3
"""A final with so many words less than a partial of it has lost some."""


@dataclass(frozen=True, slots=True)
class Again:
    """The final is to be decoded again, made to begin with `prefix`."""

    prefix: str


def concluded(asked: Asked, said: DecodeResult) -> DecodeResult | Again:
    """What a final says, in line with what was committed, or how it must be decoded to know that."""
    utterance, stable = asked.utterance, asked.utterance.text.stable
    if not stable:
        return said
    text = keep_stable(stable, said.text)
    if asked.request.prefix:
        forced = said if text is None else replace(said, text=text)
        if utterance.free is None and _has_lost(utterance, forced):
            utterance.forced = forced
            return Again("")
        return fuller(stable, forced, utterance.free)
    if text is not None:
        return replace(said, text=text)
    if utterance.forced is not None:
        return fuller(stable, utterance.forced, said)
    prefix = beginning(stable)
    utterance.free = said
    return Again(prefix) if prefix else said


def _has_lost(utterance: Utterance, forced: DecodeResult) -> bool:
    return spoken_words(forced.text) + _FEWER_WORDS <= spoken_words(utterance.text.text)
