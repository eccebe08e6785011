"""Where a session stands: which of its utterances were begun, ended and decided, and what a successor on
another worker must know of it."""

from shared.audio.pcm import to_samples
from shared.codec import pack
from shared.transcript import Tail
from worker.core.effects import Checkpoint
from worker.core.utterance import Utterance


class Progress:
    """One session's. It begins where a predecessor stopped, which may have said more than it decided: what
    was said already is not said again."""

    def __init__(self, resumed: Checkpoint) -> None:
        self._resumed = resumed
        self._started = self._ended = self.decided = resumed.decided

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

    def checkpoint(self, head: Utterance | None, tail: Tail, context: str, language: str) -> bytes:
        """All of it. `head` is the first utterance that is not decided."""
        return pack(
            Checkpoint(
                decided=self.decided,
                started=max(self._started, self._resumed.started),
                ended=max(self._ended, self._resumed.ended),
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
