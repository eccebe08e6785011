"""What an open utterance says: committed and tentative text.

LocalAgreement-2 (Macháček, Dabre, Bojar 2023, "Turning Whisper into Real-Time Transcription System"): what
two successive hypotheses say alike is committed. Units are words, or characters in scripts without spaces,
compared without case and punctuation, and the last unit of a hypothesis is never committed: it may be cut
in the middle, and its punctuation depends on what follows.
"""

import re
import unicodedata
from dataclasses import dataclass

from shared.events import Word
from shared.transcript import join

# Scripts written without spaces: kana, CJK ideographs, Thai, Lao, Khmer, Myanmar. Hangul has spaces.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_UNIT = re.compile(rf"\s*[{_UNSPACED}][^\w\s{_UNSPACED}]*|\s*[^\s{_UNSPACED}]+|\s+$")


def units(text: str) -> list[str]:
    """Split so that joining the units gives `text` again; space stands in front of a unit."""
    return _UNIT.findall(text)


def fold(unit: str) -> str:
    """A unit as it is compared: no case, no punctuation, no space."""
    kept = (c for c in unicodedata.normalize("NFKC", unit).casefold() if c.isalnum() or c == "'")
    return "".join(kept) or unit.strip()


def common_prefix(left: list[str], right: list[str]) -> int:
    """How many units two lists share from the start, as they are compared."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if fold(a) != fold(b):
            break
        count += 1
    return count


@dataclass(slots=True)
class Hypothesis:
    """The text of an open utterance.

    `settled` is committed text whose audio is no longer in the window; `committed` is committed text of
    the window, with which the next decode is made to begin; `tentative` is the rest.
    """

    settled: str = ""
    committed: str = ""
    tentative: str = ""
    hold_back: int = 1
    """Units at the end that are not committed, however agreed: what is said next may change how they are
    heard."""

    @property
    def stable(self) -> str:
        """All text that will not change."""
        return join(self.settled, self.committed)

    @property
    def text(self) -> str:
        """All text so far."""
        return join(self.settled, self.committed + self.tentative)

    def update(self, text: str) -> None:
        """Take what a decode of the window says. A text that does not begin with the committed one is
        ignored: it was forced to."""
        if not text.startswith(self.committed):
            return
        fresh = units(text[len(self.committed) :])
        agreed = min(common_prefix(units(self.tentative), fresh), len(fresh) - self.hold_back)
        self.committed += "".join(fresh[: max(0, agreed)])
        self.tentative = text[len(self.committed) :]

    def settle(self, words: tuple[Word, ...], before_s: float) -> float:
        """Take committed words that end before `before_s` out of the window.

        `words` are those of the last text, times in seconds of the window. Returns where the window may
        now begin, 0 if nothing changed.
        """
        place, cut_s, cut_place = 0, 0.0, 0
        for word in words:
            found = self.committed.find(word.text, place)
            if found < 0:
                break
            place = found + len(word.text)
            if word.end <= before_s and _is_seam(self.committed, place):
                cut_s, cut_place = word.end, place
        if cut_place:
            self.settled = join(self.settled, self.committed[:cut_place].strip())
            self.committed = self.committed[cut_place:].lstrip()
            if not self.committed:
                self.tentative = self.tentative.lstrip()
        return cut_s


def _is_seam(text: str, place: int) -> bool:
    """Whether text cut at `place` is the same text when it is joined again."""
    return join(text[:place].strip(), text[place:].lstrip()) == text


def keep_stable(stable: str, free: str) -> str | None:
    """A final's text that begins with `stable` literally, if the free decode says the same words; None if
    it says others."""
    kept, said = units(stable), units(free)
    if common_prefix(kept, said) < len(kept):
        return None
    return stable + "".join(said[len(kept) :])
