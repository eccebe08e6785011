"""What happens to a dictation (inputs), and what it wants done (effects). Times are seconds of one monotonic
clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from client.dictation.core.target import Newline, Target
from client.dictation.core.view import Cue
from shared.events import Final


@dataclass(frozen=True, slots=True)
class TurnOn:
    """The user wants to dictate."""


@dataclass(frozen=True, slots=True)
class TurnOff:
    """The user has finished."""


@dataclass(frozen=True, slots=True)
class Toggle:
    """The other one of the two."""


@dataclass(frozen=True, slots=True)
class HoldKey:
    """The push-to-talk key was pressed, or let go."""

    is_down: bool


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last utterance back."""


@dataclass(frozen=True, slots=True)
class OfSession:
    """What is said of a session, or to it."""

    run: int
    """Its number: a dictation whose session is lost opens another one."""


@dataclass(frozen=True, slots=True)
class Opened(OfSession):
    """It is open."""


@dataclass(frozen=True, slots=True)
class Down(OfSession):
    """Its connection is lost; it is being resumed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Up(OfSession):
    """It has a connection again."""


@dataclass(frozen=True, slots=True)
class Over(OfSession):
    """It is over, or could not be opened: `problem` says why, empty at its orderly end."""

    problem: str = ""
    is_retryable: bool = False


@dataclass(frozen=True, slots=True)
class Warned(OfSession):
    """The server said something that the user should know."""

    message: str


@dataclass(frozen=True, slots=True)
class SpeechBegan(OfSession):
    """An utterance began while this had the focus, as far as that was looked at."""

    utterance: int
    target: Target = field(default_factory=Target)


@dataclass(frozen=True, slots=True)
class Guessed(OfSession):
    """What is being said; it may change."""

    text: str


@dataclass(frozen=True, slots=True)
class Said(OfSession):
    """An utterance is over."""

    final: Final


@dataclass(frozen=True, slots=True)
class Heard:
    """The microphone gave audio. Loudness in dB below full scale: of its loudest sample, and its mean
    power."""

    peak_db: float
    level_db: float


@dataclass(frozen=True, slots=True)
class AudioLost:
    """A piece of audio was lost; the rest goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class CaptureFailed:
    """There is no microphone, or not any more."""

    problem: str


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer to `Look`: what has the focus, and how often the user has pressed something so far; None
    where that is not known."""

    target: Target
    presses: int | None


@dataclass(frozen=True, slots=True)
class Wrote:
    """The answer to `Type`, `Paste` and `Erase`."""

    presses: int | None
    problem: str = ""
    typed: int = 0
    """Characters that got there in spite of the problem."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Input = (
    TurnOn
    | TurnOff
    | Toggle
    | HoldKey
    | Undo
    | Opened
    | Down
    | Up
    | Over
    | Warned
    | SpeechBegan
    | Guessed
    | Said
    | Heard
    | AudioLost
    | CaptureFailed
    | Looked
    | Wrote
    | Tick
)


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Open the microphone; keep what it gives for the next session."""


@dataclass(frozen=True, slots=True)
class StopCapture:
    """Close it."""


@dataclass(frozen=True, slots=True)
class OpenSession(OfSession):
    """Open a session, under this number, after a pause; send it what is kept, and what comes."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EndSession(OfSession):
    """Tell it that there is no more audio; its last finals are awaited."""


@dataclass(frozen=True, slots=True)
class DropSession(OfSession):
    """Close it; nothing of it is wanted any more."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the audio that is kept."""


@dataclass(frozen=True, slots=True)
class Look:
    """See what has the focus, and answer with `Looked`."""


@dataclass(frozen=True, slots=True)
class Type:
    """Type this, and answer with `Wrote`."""

    text: str = field(repr=False)
    newline: Newline


@dataclass(frozen=True, slots=True)
class Paste:
    """Paste this, and answer with `Wrote`."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Erase:
    """Press Backspace so often, and answer with `Wrote`."""

    count: int


@dataclass(frozen=True, slots=True)
class Play:
    """Let the user hear this."""

    cue: Cue


@dataclass(frozen=True, slots=True)
class Note:
    """For the log: a constant word, and numbers. Never text."""

    what: str
    numbers: Mapping[str, int | float] = field(default_factory=dict[str, int | float])


Effect = (
    StartCapture
    | StopCapture
    | OpenSession
    | EndSession
    | DropSession
    | Forget
    | Look
    | Type
    | Paste
    | Erase
    | Play
    | Note
)
