"""The desk: what is due to be written, one after another, each where the focus is at that moment."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from client.dictation.core.graphemes import clusters
from client.dictation.core.moves import Effect, Erase, Look, Looked, Note, Paste, Type, Wrote
from client.dictation.core.target import Rules, Target
from shared.transcript import separator

HELD: Final = "This field keeps its input secret: the text waits until you have left it."
SECURE: Final = "This field keeps its input secret: nothing was typed. The text is in the menu."
EXCLUDED: Final = "Dictation is off for this app: nothing was typed. The text is in the menu."
MOVED: Final = "Another window came to the front while you spoke: nothing was typed. The text is in the menu."
NO_UNDO: Final = (
    "The last utterance can't be taken back any more: something else was typed, or the focus moved."
)
LOOK_AGAIN_S: Final = 0.5
"""How often a text that waits looks whether it may be written."""
NOT_WRITTEN: Final = "The text could not be typed; it is in the menu."


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text to be written."""

    text: str = field(repr=False)
    place: str = ""
    """The window in which it was spoken, where that counts."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The last utterance is to be taken back."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written last: enough to take it back, and to know what goes before the next text."""

    target: Target
    text: str = field(repr=False)
    presses: int | None
    """Of the user, when it had been written."""
    can_go: bool = True


class Desk:
    """Writes one thing at a time: `next` asks for a look at the focus, `looked` decides, `wrote` says how it
    went."""

    def __init__(self, rules: Rules, *, trailing_space: bool = False, hold_s: float = 0.0) -> None:
        """`hold_s`: how long a text waits where it must not be typed."""
        self._rules = rules
        self._trailing_space = trailing_space
        self._hold_s = hold_s
        self._held_until: float | None = None
        self._look_at: float | None = None
        self._due: deque[Utterance | TakeBack] = deque()
        self._now: Utterance | TakeBack | None = None
        self._writing: _Written | None = None
        self._last: _Written | None = None
        self.notice = ""
        """Why the last thing was not written; empty when it was."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due or being written."""
        return self._now is None and not self._due

    def put(self, item: Utterance | TakeBack) -> None:
        """Something to be written after what is due already."""
        self._due.append(item)

    def clear(self) -> None:
        """Drop what is due, and what waits; what is being written can't be stopped."""
        self._due.clear()
        if self._look_at is not None:
            self._now = self._held_until = self._look_at = None

    def wake_at(self) -> float | None:
        """When a text that waits looks again; None when none does."""
        return self._look_at

    def again(self, now: float) -> list[Effect]:
        """Look again, if it is time."""
        if self._look_at is None or now < self._look_at:
            return []
        self._look_at = None
        return [Look()]

    def begin(self) -> None:
        """A new dictation: its first text stands by itself."""
        self.notice = ""
        if self._last is not None:
            self._last = _Written(self._last.target, "", self._last.presses, can_go=False)

    def next(self) -> list[Effect]:
        """What to do for what is due."""
        if self._now is not None or not self._due:
            return []
        self._now = self._due.popleft()
        return [Look()]

    def looked(self, at: Looked, now: float) -> list[Effect]:
        """Decide, now that it is known where the text would go."""
        if isinstance(self._now, Utterance) and at.target.is_secure and (held := self._hold(self._now, now)):
            return held
        self._held_until = None
        match self._now:
            case None:
                return []
            case TakeBack():
                effects = self._erase(at)
            case Utterance():
                effects = self._write(self._now, at)
        if not any(isinstance(effect, Type | Paste | Erase) for effect in effects):
            self._now = None
            effects += self.next()
        return effects

    def wrote(self, how: Wrote) -> list[Effect]:
        """Go on after the text was written, or was not."""
        if isinstance(self._now, Utterance):
            self.notice = how.problem and f"{how.problem} {NOT_WRITTEN}"
            if self._writing is not None:
                began = self._writing
                text = began.text[: how.typed] if how.problem else began.text
                # A part of it in the app can't be told from what was there.
                self._last = _Written(began.target, text, how.presses, can_go=not how.problem)
        elif isinstance(self._now, TakeBack):
            self.notice = how.problem
        self._now = self._writing = None
        return self.next()

    def _hold(self, utterance: Utterance, now: float) -> list[Effect]:
        """Have the text wait; nothing once it has waited long enough."""
        is_first = self._held_until is None
        if self._held_until is None:
            self._held_until = now + self._hold_s
        if now >= self._held_until:
            return []
        self._look_at = min(now + LOOK_AGAIN_S, self._held_until)
        self.notice = HELD
        return [Note("waits" if is_first else "still waits", {"length": len(utterance.text)})]

    def _write(self, utterance: Utterance, at: Looked) -> list[Effect]:
        rule = self._rules.of(at.target)
        if reason := self._obstacle(utterance, at.target, never=rule.insert == "never"):
            self.notice = reason
            return [Note("held", {"length": len(utterance.text)})]
        text = self._joined(utterance.text, at.target)
        self._writing = _Written(at.target, text, at.presses)
        return [Paste(text) if rule.insert == "paste" else Type(text, rule.newline)]

    @staticmethod
    def _obstacle(utterance: Utterance, target: Target, *, never: bool) -> str:
        if target.is_secure:
            return SECURE
        if never:
            return EXCLUDED
        return MOVED if utterance.place and utterance.place != target.window else ""

    def _joined(self, text: str, target: Target) -> str:
        """The text with what stands between it and the text before it, if that is in the same place."""
        before = self._last.text if self._last and self._last.target.window == target.window else ""
        if before.endswith(("\n", " ")) or text.startswith(("\n", ".", ",", ";", ":", "!", "?", " ")):
            gap = ""
        else:
            gap = separator(before, text)
        behind = " " if self._trailing_space and separator(text, "x") and not text.endswith("\n") else ""
        return gap + text + behind

    def _erase(self, at: Looked) -> list[Effect]:
        last = self._last
        is_untouched = at.presses is not None and last is not None and last.presses == at.presses
        if last is None or not last.can_go or last.target != at.target or not is_untouched:
            self.notice = NO_UNDO
            return [Note("undo refused")]
        self._last = _Written(last.target, "", at.presses, can_go=False)
        return [Erase(len(clusters(last.text)))]
