"""What was said just before: finals that are kept, with their audio, as the left context of the next."""

from collections import deque
from dataclasses import dataclass

from shared.transcript import join


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
        them."""
        context = LeftContext(start)
        for said in reversed(self._said):
            if end - said.start > reach_samples or context.start - said.end > self._gap:
                break
            context = LeftContext(said.start, join(said.text, context.text))
        return context
