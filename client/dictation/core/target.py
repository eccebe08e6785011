"""Where text goes, and what is done with it there."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Newline = Literal["return", "shift-return", "space"]
"""Which key a new line is. In chats Return sends what is there, and Shift-Return begins a line."""
Insert = Literal["type", "paste", "never"]


@dataclass(frozen=True, slots=True)
class Target:
    """What has the keyboard's focus. Empty fields are not known."""

    app: str = ""
    """A stable name of the app: its bundle identifier on macOS, its `WM_CLASS` on X11."""
    window: str = ""
    """Names the window as long as it is open: text typed before and after goes to the same place only if this
    has not changed."""
    is_secure: bool = False
    """Passwords are typed there, or another program has taken the keyboard: nothing is to be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done in some apps."""

    match: str
    """Shell pattern for `Target.app`, in any case: `*slack*`."""
    insert: Insert = "type"
    newline: Newline = "return"


@dataclass(frozen=True, slots=True)
class Rules:
    """The first rule that matches counts; without one text is typed, and Return is a new line."""

    rules: Sequence[Rule] = ()

    def of(self, target: Target) -> Rule:
        """The rule for a target."""
        app = target.app.casefold()
        matching = (rule for rule in self.rules if fnmatchcase(app, rule.match.casefold()))
        return next(matching, Rule(match="*"))
