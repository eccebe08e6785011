"""What was said just before: finals that are kept, with their audio, as the left context of the next."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from shared.transcript import join

_MARKS: Final = ".,;:!?…"


@dataclass(frozen=True, slots=True)
class Said:
    """A final with its place in samples."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class LeftContext:
    """Audio from `start` on says `text`, up to where the utterance begins."""

    start: int
    text: str = ""


class Past:
    """The latest finals, as far back as their audio may be wanted."""

    def __init__(self, *, reach_samples: int, gap_samples: int) -> None:
        self._reach = reach_samples
        self._gap = gap_samples
        self._said: deque[Said] = deque()

    def add(self, said: Said) -> None:
        """A final was said. An empty one breaks the thread: its audio is better not heard again."""
        if not said.text:
            self._said.clear()
            return
        self._said.append(said)
        while said.end - self._said[0].start > self._reach and len(self._said) > 1:
            self._said.popleft()

    def clear(self) -> None:
        """Forget: the next utterance stands alone."""
        self._said.clear()

    def keep_from(self, covered: int) -> int:
        """First sample whose audio may be wanted again."""
        return min(self._said[0].start, covered) if self._said else covered

    def before(self, start: int, end: int, reach_samples: int) -> LeftContext:
        """As many finals as fit in front of `[start, end)` within a reach, without a long pause between
        them; none if none of them is written as texts are (`is_written`)."""
        context = LeftContext(start)
        written = False
        for said in reversed(self._said):
            if end - said.start > reach_samples or context.start - said.end > self._gap:
                break
            context = LeftContext(said.start, join(said.text, context.text))
            written = written or is_written(said.text)
        return context if written else LeftContext(start)


def is_written(text: str) -> bool:
    """Whether a text is written as texts are: begins with a capital, or has punctuation. Text in a script
    without capitals is.

    A decoder goes on in the style that it is given, and in one without either it hears worse
    (docs/engine.md, "Text without capitals and punctuation")."""
    letter = next((c for c in text if c.isupper() or c.islower()), "")
    return not letter.islower() or any(c in _MARKS for c in text)
