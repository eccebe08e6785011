"""What the user wants of dictation, as far as the core decides it."""

from dataclasses import dataclass, field

from client.dictation.core.target import Rules
from client.dictation.core.writing import Writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The user's settings, checked."""

    type_last: bool = True
    """Whether what was said before the microphone was closed is still typed when it comes."""
    trailing_space: bool = False
    """Whether a space is typed behind each utterance instead of before the next."""
    hold_s: float = 30.0
    """How long a text waits while a password field has the keyboard; then it is only kept in the menu."""
    stay: bool = False
    """Whether a text is kept back when another window came to the front while it was spoken."""
    session_s_max: float = 900.0
    """Dictation ends by itself after this."""
    silence_s_max: float = 60.0
    """… and when nothing was said for so long."""
    drain_s: float = 8.0
    """How long the last final is waited for."""
    reconnect_s: float = 60.0
    """How long a server that can't be reached is tried."""
    tap_s: float = 0.35
    """A push-to-talk key that is let go earlier stays on until it is pressed again; 0: never."""
    writing: Writing = field(default_factory=Writing)
    rules: Rules = field(default_factory=Rules)
