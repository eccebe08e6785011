"""What the user is shown: plain data that any toolkit can draw."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Light = Literal["off", "wait", "on", "red"]
"""Grey, amber, green, red."""


class State(StrEnum):
    """Where a dictation is."""

    OFF = "off"
    CONNECTING = "connecting"
    """The microphone is open and what is said is kept, but there is no session yet."""
    ON = "on"
    DRAINING = "draining"
    """The microphone is closed; the last final is awaited."""


class Cue(StrEnum):
    """A sound."""

    START = "start"
    """The first audio has come: what is said from now on is heard."""
    STOP = "stop"
    ERROR = "error"
    """The connection is lost, or dictation ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that is shown. Texts are for the user's eyes only: never logged, never stored."""

    state: State = State.OFF
    light: Light = "off"
    headline: str = "Dictation off"
    """A few words: `Dictation ON`."""
    notice: str = ""
    """What the user should know: a warning, why it ended. A sentence, or empty."""
    interim: str = ""
    """What is being said; may change."""
    last: str = ""
    """The last text, typed or kept back."""
    level_db: float | None = None
    """Loudness of the microphone in dB below full scale; None while it is closed."""
    history: tuple[str, ...] = ()
    """The last texts, newest first."""
