"""Which text is due: each final once, in order, appended to what was written before."""

import unicodedata
from dataclasses import dataclass, replace

from client.dictation.core.graphemes import common_prefix
from shared.events import Final


@dataclass(frozen=True, slots=True)
class Committed:
    """What one session has said for good. Each final gives a new one; a new session begins with an empty one.

    A final is known by its utterance: a second one of the same utterance is not due again. Its place is its
    `offset`, by the arithmetic of the protocol.
    """

    utterances: int = 0
    """All utterances before this number are in `text`."""
    text: str = ""
    """The transcript as the server counts it."""
    divergences: int = 0
    """How often the server contradicted what it had said. What is written is never taken back."""

    def take(self, final: Final) -> "tuple[Committed, str]":
        """What is committed with this final, and the text that is due for it, in NFC."""
        if final.utterance < self.utterances:
            return self, ""
        after = self.text.ljust(final.offset)[: final.offset] + final.text
        contradicts = not after.startswith(self.text)
        taken = replace(
            self,
            utterances=final.utterance + 1,
            text=after,
            divergences=self.divergences + contradicts,
        )
        return taken, tail(self.text, after)


def tail(before: str, after: str) -> str:
    """What has to be appended to `before` for `after`, in NFC.

    Where `after` continues `before`, together they are canonically equivalent to `after`, also when it begins
    with a mark that belongs to the letter before it. Where it does not, this is what follows the whole
    grapheme clusters that both have in common.
    """
    if after.startswith(before):
        return unicodedata.normalize("NFC", after[len(before) :])
    one, other = (unicodedata.normalize("NFC", text) for text in (before, after))
    return other[len(common_prefix(one, other)) :]
