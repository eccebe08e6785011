"""Which language a session is in, when it may be any: found at first, then watched for a change.

A detection on two seconds of speech or more is seldom wrong, and the surer the more seldom (docs/engine.md,
"Languages"). So each utterance of that length is listened to again; the session's language changes at one
detection that is sure, or at two in a row that agree.
"""

from dataclasses import dataclass
from enum import Enum

from worker.core.decode import DecodeResult
from worker.core.effects import SessionOptions
from worker.core.utterance import Asked


class Verdict(Enum):
    """What a detection says about an utterance."""

    SAME = "same"
    """It is in the session's language."""
    OPEN = "open"
    """Nothing, yet."""
    RIVAL = "rival"
    """It may be in another: one more such detection changes the language."""
    CHANGED = "changed"
    """It is in another, and so is the session from here on."""


@dataclass(slots=True)
class LanguageWatch:
    """One session's. `current` is a code; empty while none was found."""

    current: str
    fixed: bool
    """Whether the client gave it: then nothing is ever detected."""
    options: SessionOptions
    rival: str = ""
    """What the last detection heard, unsurely, instead of `current`."""

    def worth_hearing(self, own_s: float) -> bool:
        """Whether speech of that length says in which language it is, when that is of interest."""
        return not self.fixed and bool(self.current) and own_s >= self.options.language_lock_s

    def learn(self, language: str, probability: float) -> None:
        """The first language that was heard beyond doubt is the session's."""
        if not self.current and probability >= self.options.language_lock_probability:
            self.current = language

    def may_show(self, asked: Asked, result: DecodeResult) -> bool:
        """Whether a partial may be shown, as far as its language goes: a second of speech in the wrong one is
        worth nothing. Enough speech may settle the language."""
        if self.current:
            return True
        if asked.request.duration_s >= self.options.language_lock_s:
            self.learn(result.language, result.language_probability)
            asked.utterance.language = self.current
            return True
        return result.language_probability >= self.options.language_lock_probability

    def is_outdated(self, asked: Asked) -> bool:
        """Whether a decode was asked for in a language that its utterance is not taken to be in any more."""
        return asked.request.language not in ("", asked.utterance.language or self.current)

    def hear(self, asked: Asked, result: DecodeResult) -> Verdict:
        """Take into account what a decode says of its utterance's language. When that is another one, the
        utterance starts over in it."""
        utterance, probability = asked.utterance, result.language_probability
        if not asked.request.detect or utterance.language or not result.detected:
            return Verdict.SAME
        # Left context makes the detection worse: then only a sure one counts.
        rivalry = 1.0 if asked.request.left_s else self.options.language_rival_probability
        verdict = self._judge(result.detected, probability, rivalry, bound=bool(utterance.text.stable))
        if verdict is Verdict.CHANGED:
            utterance.start_over(result.detected)
            return verdict
        utterance.looks += 1
        if verdict is Verdict.SAME or utterance.looks >= self.options.language_looks:
            utterance.language = asked.request.language
        return verdict

    def _judge(self, language: str, probability: float, rivalry: float, *, bound: bool) -> Verdict:
        """`bound`: text of the utterance is committed, so that it stays in its language: a change waits for
        the next utterance."""
        if language == self.current:
            self.rival = ""
            return Verdict.SAME
        sure = probability >= self.options.language_switch_probability
        if not sure and probability < rivalry:
            return Verdict.OPEN
        again, self.rival = self.rival == language, language
        if bound:
            return Verdict.SAME
        if not sure and not again:
            return Verdict.RIVAL
        self.current, self.rival = language, ""
        return Verdict.CHANGED
