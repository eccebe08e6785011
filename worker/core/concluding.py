"""What is said in the end of an utterance that was committed in part: the final's text begins with that part
literally, whatever the final heard. Pure.

A final is decoded with nothing forced, which is the better text. Where it says other words than what is
committed it is decoded again, made to begin with that (docs/adr/0003). One that is not believed is heard once
more by itself, and so is speech that one leaves out at its end (docs/adr/0039).
"""

from dataclasses import dataclass, replace
from typing import Final

from shared.transcript import join
from worker.core.decode import DecodeResult
from worker.core.filters import Drop, fuller
from worker.core.hypothesis import beginning, keep_stable
from worker.core.utterance import Asked

_LOST: Final = frozenset({Drop.LOOP, Drop.COMPRESSION, Drop.LOGPROB, Drop.SPARSE})
"""Doubts about the text. The others say that nobody spoke, or too little to be worth another decode."""


@dataclass(frozen=True, slots=True)
class Again:
    """The final is to be decoded again, made to begin with `prefix`."""

    prefix: str = ""
    alone: bool = False
    """Without what was said before, and from a little earlier on."""
    rest: int = 0
    """Only from this sample on, for what it left out."""


def concluded(asked: Asked, said: DecodeResult) -> DecodeResult | Again:
    """What a final says, in line with what was committed, or how it must be decoded to say that."""
    utterance, stable = asked.utterance, asked.utterance.text.stable
    is_alone = asked.alone
    if not (is_alone or asked.request.prefix):
        if asked.doubt in _LOST and not said.text:
            return Again(alone=True)
        if asked.rest and said.text:
            utterance.part = said
            return Again(alone=True, rest=asked.rest)
    elif is_alone and utterance.part:
        said, utterance.part, is_alone = _whole(utterance.part, said), None, False
    text = keep_stable(stable, said.text)
    kept = said if text is None else replace(said, text=text)
    if asked.request.prefix:
        return fuller(stable, kept, utterance.free)
    prefix = beginning(stable)
    if text is None and prefix:
        utterance.free = said
        return Again(prefix, alone=is_alone and bool(said.text))
    return kept


def _whole(part: DecodeResult, rest: DecodeResult) -> DecodeResult:
    """A text and what it left out, as far as that is believed."""
    if not rest.text:
        return part
    return replace(
        part,
        text=join(part.text, rest.text),
        words=(*part.words, *rest.words),
        avg_logprob=min(part.avg_logprob, rest.avg_logprob),
    )
