"""What of an open utterance's text is on the screen. Pure.

Decodes of a growing window hear the same words otherwise each time, and cut off the last one. So a last word
that is new in a doubtful text is shown with the next, and words on the screen are replaced once two texts in
succession say others, or one that is surer. What is shown commits nothing: the commitment looks at what was
heard (`worker.core.hypothesis`). docs/engine.md, "Words that are taken back", has the measurements.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Final

from shared.events import Word
from worker.core.filters import WEAK_LOGPROB
from worker.core.hypothesis import fold, is_unspaced, keep_stable, units

SURER: Final = 0.1
"""How much higher the mean log-probability of a text must be to replace at once what is shown."""


@dataclass(slots=True)
class Screen:
    """One utterance's."""

    text: str = ""
    """What is shown."""
    logprob: float = 0.0
    """How sure the text is that it was taken from."""
    shown: list[str] = field(default_factory=list[str])
    before: list[str] = field(default_factory=list[str])
    """What the partial before said, shown or not."""
    words: tuple[Word, ...] = ()
    """What is shown with the times of its words, as far as they are known."""

    def partial(self, stable: str, text: str, logprob: float, *, is_whole: bool) -> None:
        """A partial says `text`, which begins with what is `stable`. `is_whole`: silence follows its last
        word."""
        said, before = _units(text), self.before
        self.before = said
        if logprob < WEAK_LOGPROB and len(said) > len(before) and not is_whole:
            said = said[:-1]
        if not self.shown or logprob >= self.logprob + SURER:
            self.shown, self.logprob = said, logprob
        else:
            self.shown = _settled(self.shown, before, said)
        self._keep(stable, text)

    def replace(self, text: str, logprob: float) -> None:
        """A final says `text`, if an early one: that is shown."""
        self.text, self.logprob = text, logprob
        self.shown = self.before = _units(text)

    def time(self, heard: Sequence[Word], from_s: float) -> tuple[Word, ...]:
        """The words that are shown, with times: those of a decode that `heard` the utterance from `from_s`
        on, and what was known before of those that it did not hear so."""
        known = (*(word for word in self.words if word.start < from_s), *heard)
        if "".join(_letters(word.text) for word in known) == _letters(self.text):
            self.words = known
        else:
            self.words = timed(_units(self.text), known, self.words)
        return self.words

    def _keep(self, stable: str, text: str) -> None:
        """What is committed is shown as it is."""
        self.text = "".join(self.shown).strip()
        if not self.text.startswith(stable):
            self.text = keep_stable(stable, self.text) or text
            self.shown = _units(self.text)


def timed(said: Sequence[str], known: Sequence[Word], before: Sequence[Word]) -> tuple[Word, ...]:
    """Units with the times of the same words in `known`, else in `before`. One that is in neither has neither
    length nor probability."""
    found: dict[int, Word] = {}
    for words in (before, known):
        pair = ([fold(unit) for unit in said], [fold(word.text) for word in words])
        for block in SequenceMatcher(None, *pair, autojunk=False).get_matching_blocks():
            found |= {block.a + n: words[block.b + n] for n in range(block.size)}
    placed: list[Word] = []
    for place, unit in enumerate(said):
        at_s = placed[-1].end if placed else 0.0
        word = found.get(place) or Word(text="", start=at_s, end=at_s, probability=0.0)
        start_s = max(word.start, placed[-1].start) if placed else word.start
        placed.append(replace(word, text=unit.strip(), start=start_s, end=max(start_s, word.end)))
    return tuple(placed)


def _letters(text: str) -> str:
    return "".join(text.split())


def _units(text: str) -> list[str]:
    """Units that can be put behind each other: the first, too, has its space in front."""
    said = units(text)
    if said and not is_unspaced(said[0]):
        said[0] = f" {said[0].lstrip()}"
    return said


def _settled(shown: list[str], before: list[str], said: list[str]) -> list[str]:
    """`said`, but where the text before says something else, in front of the end, what is `shown` there."""
    old, last, new = ([fold(unit) for unit in text] for text in (shown, before, said))
    if last == new:
        return said
    new_before, old_before = _common(last, new), _common(last, old)
    kept: list[str] = []
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for number, (kind, at, until, place, end) in enumerate(steps, 1):
        if end > place:
            is_twice = new_before.issuperset(range(place, end))
        else:
            is_twice = old_before.isdisjoint(range(at, until))
        is_taken = kind == "equal" or number == len(steps) or is_twice
        kept += said[place:end] if is_taken else shown[at:until]
    return kept


def _common(left: Sequence[str], right: Sequence[str]) -> set[int]:
    """Places of `right` that are in `left` too, in the same order."""
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    return {place for block in blocks for place in range(block.b, block.b + block.size)}
