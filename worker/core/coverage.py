"""How far a session's audio is decided: by finals, and by silence that no final will ever need. Pure."""

from shared.audio.pcm import to_samples
from worker.core.effects import SessionOptions


class Coverage:
    """Samples before `covered` are decided; `covered` only grows."""

    def __init__(self, committed: int, options: SessionOptions) -> None:
        self._options = options
        self.covered = committed
        self._last_end = committed

    def final(self, end: int) -> None:
        """An utterance that ends at `end` has its final."""
        self.covered = self._last_end = end

    def silence(self, position: int) -> bool:
        """No utterance is open or undecided, and frames up to `position` were looked at. Says whether enough
        more is covered to tell."""
        # The next utterance may begin a pre-roll and a few counted frames back.
        until = position - to_samples(self._options.endpoint.pre_roll_s + 0.5)
        if until - self.covered < to_samples(self._options.silence_step_s):
            return False
        self.covered = until
        return True

    def is_long_silent(self, end: int) -> bool:
        """Whether what was said last says little about what comes behind `end`."""
        return end - self._last_end > to_samples(self._options.context_gap_s)
