"""Where a session stands: which of its utterances were begun, ended and decided, which of its client's wishes
are answered, and what a successor on another worker must know of it."""

from collections import deque

from shared.audio.pcm import to_samples
from shared.codec import pack
from shared.events import Finalized
from shared.transcript import Tail
from worker.core.effects import Checkpoint
from worker.core.utterance import Utterance


class Progress:
    """One session's. It begins where a predecessor stopped, which may have said more than it decided: what
    was said already is not said again."""

    def __init__(self, resumed: Checkpoint) -> None:
        self._resumed = resumed
        self._started = self._ended = self.decided = resumed.decided
        self._finalized = resumed.finalized
        self._wishes: deque[Finalized] = deque()
        """Answers to `finalize` that wait for finals."""

    @property
    def next_number(self) -> int:
        """Of the utterance that begins next."""
        return self._started

    @property
    def is_resumed(self) -> bool:
        """Whether the next utterance is the one that the predecessor left undecided."""
        return self._started == self._resumed.decided

    def start(self) -> bool:
        """An utterance begins. Returns whether that is news."""
        self._started += 1
        return self._started > self._resumed.started

    def end(self) -> bool:
        """The utterance has ended. Returns whether that is news."""
        self._ended += 1
        return self._ended > self._resumed.ended

    def wish(self, number: int, id: str, at_s: float) -> None:
        """The client's `finalize` of that number came, behind audio up to `at_s`. One that is answered, or
        was heard of before, changes nothing; nor does 0, which wants no answer."""
        if number > (self._wishes[-1].number if self._wishes else self._finalized):
            self._wishes.append(Finalized(number=number, id=id, covered=at_s, utterances=self._started))

    def answers(self) -> tuple[Finalized, ...]:
        """The wishes that are fulfilled now, and count as answered."""
        ready: list[Finalized] = []
        while self._wishes and self._wishes[0].utterances <= self.decided:
            ready.append(self._wishes.popleft())
            self._finalized = ready[-1].number
        return tuple(ready)

    def checkpoint(self, head: Utterance | None, tail: Tail, context: str, language: str) -> bytes:
        """All of it. `head` is the first utterance that is not decided."""
        return pack(
            Checkpoint(
                decided=self.decided,
                started=max(self._started, self._resumed.started),
                ended=max(self._ended, self._resumed.ended),
                finalized=self._finalized,
                stable=head.text.stable if head else "",
                stable_until=to_samples(head.text.committed_until_s) if head else 0,
                shown=head.shown.text if head else "",
                shown_heard=head.shown.heard if head else None,
                tail_length=tail.length,
                tail_last=tail.last,
                context=context,
                language=language,
            )
        )
