"""What an open utterance says: committed and tentative text.

Local agreement (Macháček, Dabre, Bojar 2023, "Turning Whisper into Real-Time Transcription System") over a
span of audio: a unit is committed once every hypothesis of the last `agree_s` seconds, and the one before
them, says it alike. Two hypotheses half a second apart make the same mistake too often, and what is committed
binds the final. Units are words, or characters in scripts without spaces, compared without case and
punctuation; the last ones of a hypothesis are not committed: they may be cut in the middle, and their
punctuation depends on what follows.
"""

import re
import unicodedata
from collections import deque
from dataclasses import dataclass, field

from shared.events import Word
from shared.transcript import join

# Scripts written without spaces: kana, CJK ideographs, Thai, Lao, Khmer, Myanmar. Hangul has spaces.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_SENTENCE_ENDS = ".!?…。！？"
_UNIT = re.compile(rf"\s*[{_UNSPACED}][^\w\s{_UNSPACED}]*|\s*[^\s{_UNSPACED}]+|\s+$")


def units(text: str) -> list[str]:
    """Split so that joining the units gives `text` again; space stands in front of a unit."""
    return _UNIT.findall(text)


def is_unspaced(unit: str) -> bool:
    """Whether a unit is a character of a script without spaces."""
    return bool(_UNSPACED_CHARACTER.search(unit))


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
    agree_s: float = 0.0
    """Audio over which hypotheses must agree; 0: two successive ones are enough."""
    committed_until_s: float = 0.0
    """Where the audio of the committed text ends at the latest: how far the first of the hypotheses listened
    that agreed on its last units."""
    earlier: deque[tuple[float, list[str]]] = field(default_factory=deque[tuple[float, list[str]]])
    """What earlier hypotheses said behind the committed text, and how far they listened, in seconds."""

    @property
    def stable(self) -> str:
        """All text that will not change."""
        return join(self.settled, self.committed)

    @property
    def prefix(self) -> str:
        """What the next decode of the window is made to begin with."""
        return beginning(self.committed)

    @property
    def text(self) -> str:
        """All text so far."""
        return join(self.settled, self.committed + self.tentative)

    def update(self, text: str, heard_s: float = 0.0, *, commit: bool = True) -> None:
        """Take what a decode of the window says that listened up to `heard_s`; without `commit` only to show
        it. A text that does not begin with the committed one is ignored: it was forced to."""
        kept = text if text.startswith(self.committed) else keep_stable(self.committed, text)
        if kept is None:
            return
        text = kept
        if not commit:
            self.tentative = text[len(self.committed) :]
            self.doubt()
            return
        fresh = units(text[len(self.committed) :])
        count = max(0, min(self._agreed(fresh, heard_s), len(fresh) - self.hold_back))
        self.committed += "".join(fresh[:count])
        self.tentative = text[len(self.committed) :]
        self.earlier.append((heard_s, fresh))
        if count:
            self.committed_until_s = self.earlier[0][0]
            self.earlier = deque((heard, said[count:]) for heard, said in self.earlier)

    def doubt(self) -> None:
        """Forget what earlier hypotheses said: one came that is not believed, so they did not all agree."""
        self.earlier.clear()

    def unsettle(self) -> None:
        """The window begins where the utterance does again: all that is committed is said in it."""
        self.settled, self.committed = "", self.stable

    def _agreed(self, fresh: list[str], heard_s: float) -> int:
        """How many units all hypotheses of the span share with the newest."""
        while len(self.earlier) > 1 and self.earlier[1][0] <= heard_s - self.agree_s:
            self.earlier.popleft()
        if not self.earlier or self.earlier[0][0] > heard_s - self.agree_s:
            return 0
        return min(common_prefix(said, fresh) for _, said in self.earlier)

    def settle(self, words: tuple[Word, ...], before_s: float, *, keep: int = 0) -> float:
        """Take committed words that end before `before_s` out of the window, all but the last `keep` units.

        `words` are those of the last text, times in seconds of the window. Returns where the window may
        now begin, 0 if nothing changed.
        """
        place, cut_s, cut_place = 0, 0.0, 0
        for word in words:
            said = word.text.rstrip(_SENTENCE_ENDS + ",")
            found = self.committed.find(said, place)
            if found < 0:
                break
            place = found + len(said)
            while place < len(self.committed) and self.committed[place] in _SENTENCE_ENDS + ",":
                place += 1
            if len(units(self.committed[place:])) < keep:
                break
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


def beginning(committed: str) -> str:
    """Committed text as a decode is made to begin with it: behind the end of a sentence the decoder would
    take the window for over."""
    return committed.rstrip(_SENTENCE_ENDS)


def keep_stable(stable: str, free: str) -> str | None:
    """A final's text that begins with `stable` literally, if the free decode says the same words; None if
    it says others."""
    kept, said = units(stable), units(free)
    if common_prefix(kept, said) < len(kept):
        return None
    return stable + "".join(said[len(kept) :])


_SEAM_UNITS = 6


def spliced(stable: str, free: str) -> str:
    """`stable` and what `free` says behind the place that fits its end best: the last units of `stable` are
    aligned by Levenshtein distance, with all before and behind them in `free` at no cost."""
    kept, said = units(stable), units(free)
    left, right = [fold(unit) for unit in kept[-_SEAM_UNITS:]], [fold(unit) for unit in said]
    row = [0] * (len(right) + 1)
    for count, unit in enumerate(left, 1):
        before, row = row, [count]
        for place, other in enumerate(right):
            row.append(min(before[place] + (unit != other), before[place + 1] + 1, row[-1] + 1))
    # The last of equals: nothing is said twice.
    place = max(range(len(row)), key=lambda at: (-row[at], at))
    return join(stable, "".join(said[place:]).strip())
