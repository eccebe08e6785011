"""What a busy device leaves a session with, as its client is told. Pure.

The scheduler decides finals before partials, so that a device that has too much to do first gives slower
partials, then none, and finals to the last. This only watches what comes back and finds the words for it; the
steps lie apart, so that a session at the edge of one is not told of it again and again.
"""

from enum import StrEnum
from typing import Final

from shared.events import Warning

SLOW_FROM_S: Final = 1.0
"""Wait of partials, smoothed, from which they count as slow: about twice the time between them."""
SLOW_UNTIL_S: Final = 0.3
NONE_FROM_S: Final = 3.0
"""Length from which an utterance should have had a partial."""
NONE_FROM: Final = 2
"""Such utterances in succession without one; the first may be audio that came late, in a burst."""


class Step(StrEnum):
    """How much of the service a session gets."""

    FULL = "partials_normal"
    SLOW = "partials_slow"
    FINALS_ONLY = "partials_off"


_MESSAGES: Final = {
    Step.FULL: "partials come in time again",
    Step.SLOW: "the workers are busy; partials come late",
    Step.FINALS_ONLY: "the workers are busy; finals come, partials do not",
}


class Ladder:
    """One session's place on it. Each method returns the warning that is due, if the place changed."""

    def __init__(self) -> None:
        self.step = Step.FULL
        self._wait_s = 0.0
        self._missed = 0

    def decoded(self, waited_s: float) -> Warning | None:
        """A partial was decoded that had waited so long."""
        self._missed = 0
        if self.step is Step.FINALS_ONLY:
            self._wait_s = max(waited_s, SLOW_FROM_S)  # one that got through is no proof that more will
            return self._move(Step.SLOW)
        self._wait_s += (waited_s - self._wait_s) / 3
        if self._wait_s >= SLOW_FROM_S:
            return self._move(Step.SLOW)
        return self._move(Step.FULL) if self._wait_s <= SLOW_UNTIL_S else None

    def missed(self, length_s: float, wait_s: float) -> Warning | None:
        """An utterance of this length ended, and no partial of it was ever decoded. `wait_s` is how long the
        session's decodes wait lately: where they do not, audio only came faster than it is spoken."""
        self._missed += length_s >= NONE_FROM_S and wait_s >= SLOW_UNTIL_S
        return self._move(Step.FINALS_ONLY) if self._missed >= NONE_FROM else None

    def _move(self, step: Step) -> Warning | None:
        if step is self.step:
            return None
        self.step = step
        return Warning(code=step.value, message=_MESSAGES[step])
