"""What of a session is decided for good, and how it is told: finals, silence, answers to `finalize`, the end,
and beside each the checkpoint from which a successor on another worker goes on.

What decodes and endpoints mean is the session's (`worker.core.session`); here their outcome is written down.
`head` is throughout the first utterance that is not decided, ended or still open; None when there is none.
"""

from shared.audio.pcm import to_seconds
from shared.events import Closed, Event
from worker.core.coverage import Coverage
from worker.core.decode import DecodeResult
from worker.core.effects import Close, CloseReason, Effect, Emit
from worker.core.hearing import Hearing
from worker.core.memory import Memory
from worker.core.progress import Progress
from worker.core.saying import Scribe
from worker.core.utterance import Utterance


class Record:
    """One session's."""

    def __init__(
        self, hearing: Hearing, memory: Memory, scribe: Scribe, progress: Progress, coverage: Coverage
    ) -> None:
        self._hearing = hearing
        self._memory = memory
        self._scribe = scribe
        self._progress = progress
        self._coverage = coverage
        self._closed = False

    @property
    def covered(self) -> int:
        """First sample that nothing is decided about."""
        return self._coverage.covered

    def news(self, event: Event, head: Utterance | None) -> list[Effect]:
        """Say an event that a successor must know of."""
        return [Emit((event,), checkpoint=self.checkpoint(head))]

    def final(self, utterance: Utterance, result: DecodeResult, head: Utterance | None) -> list[Effect]:
        """Say an utterance's final: the text that was committed at least. `head` comes behind it."""
        stable = utterance.text.stable
        text = result.text if result.text.startswith(stable) else stable
        end = utterance.end or 0
        if result.text:
            self._memory.language.learn(result.language, result.language_probability)
        final = self._scribe.final(utterance, result, text)
        self._memory.add(utterance, end, text, result.language)
        self._progress.decided = utterance.number + 1
        self._coverage.final(end)
        self._trim()
        return [Emit((final,), covered=end, checkpoint=self.checkpoint(head)), *self.wishes(head)]

    def wishes(self, head: Utterance | None) -> list[Effect]:
        """Say of each `finalize` whose finals are all said that they are."""
        answers = self._progress.answers()
        return [Emit(answers, checkpoint=self.checkpoint(head))] if answers else []

    def silence(self) -> list[Effect]:
        """No utterance is open or undecided: advance over what was heard since the last."""
        if self._coverage.is_long_silent(self._hearing.end):
            self._memory.forget()
        if not self._coverage.silence(self._hearing.position):
            return []
        self._trim()
        return [Emit((), covered=self.covered, checkpoint=self.checkpoint(None))]

    def close(self, reason: CloseReason) -> list[Effect]:
        """All is decided; said once."""
        if self._closed:
            return []
        self._closed = True
        end = self._hearing.end
        self._coverage.final(end)
        self._trim()
        closed = Closed(reason=reason, duration=to_seconds(end), utterances=self._progress.decided)
        return [Close(closed, end)]

    def checkpoint(self, head: Utterance | None) -> bytes:
        """What a successor must know now."""
        return self._progress.checkpoint(
            head, self._scribe.tail, self._memory.context, self._memory.language.current
        )

    def _trim(self) -> None:
        self._hearing.trim(self.covered, self._memory.keep_from(self.covered))
