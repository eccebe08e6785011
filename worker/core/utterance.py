"""An utterance on its way to a final, and the decodes that are asked for on the way. Plain data of the
session machine."""

from dataclasses import dataclass, field, replace
from typing import Final

from shared.audio.pcm import to_samples, to_seconds
from shared.events import Word
from worker.core.decode import DecodeRequest, DecodeResult
from worker.core.effects import Checkpoint, SessionOptions
from worker.core.filters import Drop
from worker.core.hypothesis import Hypothesis
from worker.core.screen import Screen
from worker.core.writing import Shown

_NEW_S_MIN: Final = 0.1
"""New audio that is worth a decode however it comes: in less there is no word."""


@dataclass(slots=True)
class Utterance:
    """One stretch of speech on its way to a final. Positions are samples."""

    number: int
    start: int
    window_start: int
    """Where the window of partials begins: behind `start` once words were taken out of it."""
    heard: int
    """How far the last partial, or early final, listened."""
    text: Hypothesis
    step_s: float
    """New audio that the next partial waits for."""
    stumbled: bool = False
    """Whether its last partial could not be shown."""
    is_answered: bool = False
    """Whether a decode of it has come back."""
    end: int | None = None
    language: str = ""
    """What it is in, once that is decided."""
    looks: int = 0
    """Detections that said nothing about it."""
    screen: Screen = field(default_factory=Screen)
    shown: Shown = field(default_factory=Shown)
    """What was written of it for good."""
    early: "tuple[Asked, DecodeResult] | None" = None
    early_end: int = -1
    """What an early final says, if the utterance ends there."""
    free: DecodeResult | None = None
    """What a final said that did not keep to the committed text."""
    has_hole: bool = False
    """Whether a partial left out seconds of its speech: then the final is asked where its words are."""
    part: DecodeResult | None = None
    """What a final said that left out seconds of speech at its end, while those are heard by themselves."""

    @classmethod
    def begun(cls, number: int, start: int, options: SessionOptions) -> "Utterance":
        """Speech began; the utterance's audio starts at `start`, with a pre-roll that nothing is said in."""
        text = Hypothesis(hold_back=options.hold_back, agree_s=options.agree_s)
        heard = start + to_samples(options.endpoint.pre_roll_s)
        return cls(number, start, start, heard, text, options.partial_step_s)

    def resume(self, resumed: Checkpoint) -> None:
        """It was begun on another worker, which committed and wrote some of it."""
        self.text.committed = resumed.stable
        self.text.committed_until_s = to_seconds(resumed.stable_until)
        self.shown = _shown(resumed)

    def is_due(self, heard: int, came: int, options: SessionOptions) -> bool:
        """Whether there is enough to hear up to `heard` for the next partial; `came`: samples of the chunk
        that came last."""
        wanted = to_samples(self.step_s)
        wanted = max(wanted - round(options.partial_early * came), min(wanted, to_samples(_NEW_S_MIN)))
        return heard - self.heard >= wanted

    def pace(self, result: DecodeResult, options: SessionOptions, wait_s: float) -> None:
        """Set how much new audio the next partial waits for: half way between the last step and what this
        partial's cost and the device's load ask for; `wait_s` is how long decodes wait. Behind a partial that
        can't be shown the next comes soon, but only once: noise never gives one that can."""
        usable = bool(result.text)
        if not usable and self.window_start > self.start:
            self.window_start = self.start
            self.text.unsettle()
        if not usable and not self.stumbled:
            self.heard -= to_samples(max(0.0, self.step_s - options.partial_retry_s))
        else:
            wanted_s = max(result.cost_s / options.partial_share, options.partial_step_s)
            wanted_s += options.partial_patience * wait_s
            self.step_s = (self.step_s + min(wanted_s, options.partial_step_s_max)) / 2
        self.stumbled = not usable

    def start_over(self, language: str) -> None:
        """It is in another language than was thought; nothing of it is committed. The next partial is due at
        once."""
        self.language = language
        self.text = Hypothesis(hold_back=self.text.hold_back, agree_s=self.text.agree_s)
        self.screen = Screen()
        self.heard = self.start
        self.early, self.early_end = None, -1
        self.part = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The decode that is under way. It listens to `[start, end)`."""

    ticket: int
    request: DecodeRequest
    utterance: Utterance
    start: int
    end: int
    alone: bool = False
    """It is a final that hears nothing of what was said before: its utterance's, because with that it was not
    believed, or what the one before left out."""
    doubt: Drop | None = None
    """Why its answer is not believed."""
    rest: int = 0
    """Where the speech begins that its answer leaves out at the end; 0: nowhere."""

    def trim(self, result: DecodeResult, options: SessionOptions) -> None:
        """Take committed words out of a long window: the next partial has less to decode."""
        if self.request.own_s < options.window_trim_s or not result.words:
            return
        keep_s = options.tight_keep_s if self.request.tight else options.window_keep_s
        keep_from_s = self.request.duration_s - min(keep_s, options.window_keep_s)
        cut_s = self.utterance.text.settle(result.words, keep_from_s, keep=options.window_keep_units)
        if cut_s > 0:
            self.utterance.window_start = self.start + to_samples(cut_s)


def placed(asked: Asked, result: DecodeResult) -> DecodeResult:
    """The answer with its words on the session's clock."""
    offset = to_seconds(asked.start)
    return replace(result, words=tuple(_moved(word, offset) for word in result.words))


def _moved(word: Word, offset_s: float) -> Word:
    return replace(word, start=round(word.start + offset_s, 3), end=round(word.end + offset_s, 3))


def _shown(resumed: Checkpoint) -> Shown:
    """What the first undecided utterance has been shown. A worker that did not write for the client showed
    text as it was heard."""
    if resumed.shown_heard is None:
        return Shown(len(resumed.stable), resumed.stable)
    return Shown(resumed.shown_heard, resumed.shown)
