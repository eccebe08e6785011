"""Typing with Quartz: events that carry their text, so that no layout and no lock has a say in it.

The source of the events is private, and their flags are cleared: a modifier that is held stays with the keys
of the user. Each event is marked as ours. An app that ignores the text of an event and looks at its key
(remote desktops and virtual machines do) needs a rule `paste`.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from client.dictation.core.target import Newline, Target
from client.dictation.errors import NotTyped, PermissionMissing
from client.dictation.macos.carbon import Carbon
from client.dictation.macos.clipboard import Clipboard
from client.dictation.macos.focus import Focus
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.keystrokes import BACKSPACE, Stroke, strokes
from client.dictation.macos.links import ADVICE

MARK: Final = 0x5374656E6F  # "Steno"
"""In the field of each event that is its sender's to use."""

_PAUSE_S: Final = 0.003
"""Between events: some apps lose text that comes faster."""
_HELD_S_MAX: Final = 0.5
_HELD_ASK_S: Final = 0.01
_SECURE: Final = "a password field has the keyboard"


class MacTyper:
    """`Typer` on macOS."""

    def __init__(
        self,
        mac: Frameworks,
        carbon: Carbon,
        clipboard: Clipboard,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._mac = mac
        self._carbon = carbon
        self._clipboard = clipboard
        self._focus = Focus(mac, carbon)
        self._sleep = sleep
        self._source: Any = None

    def target(self) -> Target:
        """See the port."""
        return self._focus.target()

    def type(self, text: str, newline: Newline) -> None:
        """See the port."""
        self._prepare()
        typed = 0
        with self._mac.objc.autorelease_pool():
            for stroke in strokes(text, newline):
                if self._carbon.is_secure_input():
                    raise NotTyped(_SECURE, typed=typed)
                self._press(stroke)
                typed += stroke.characters

    def paste(self, text: str) -> None:
        """See the port."""
        self._prepare()
        quartz = self._mac.quartz
        with self._clipboard.lent(text) as key:
            self._press(Stroke(key=key), flags=quartz.kCGEventFlagMaskCommand)

    def erase(self, count: int) -> None:
        """See the port."""
        self._prepare()
        with self._mac.objc.autorelease_pool():
            for _ in range(count):
                self._press(Stroke(key=BACKSPACE))

    def presses(self) -> int:
        """See the port. The system counts what comes from its keyboards and mice; our events have another
        source."""
        quartz = self._mac.quartz
        kinds = (
            quartz.kCGEventKeyDown,
            quartz.kCGEventLeftMouseDown,
            quartz.kCGEventRightMouseDown,
            quartz.kCGEventOtherMouseDown,
        )
        state = quartz.kCGEventSourceStateHIDSystemState
        return sum(quartz.CGEventSourceCounterForEventType(state, kind) for kind in kinds)

    def copy(self, text: str) -> None:
        """See the port."""
        self._clipboard.put(text)

    def close(self) -> None:
        """See the port."""
        self._source = None

    def _prepare(self) -> None:
        """Raise for what would swallow the events without a word; wait for modifiers to be let go."""
        if not self._mac.accessibility.AXIsProcessTrusted():
            raise PermissionMissing(ADVICE["typing"])
        if self._carbon.is_secure_input():
            raise NotTyped(_SECURE)
        if self._source is None:
            quartz = self._mac.quartz
            self._source = quartz.CGEventSourceCreate(quartz.kCGEventSourceStatePrivate)
        waited = 0.0
        while self._is_modifier_held() and waited < _HELD_S_MAX:
            self._sleep(_HELD_ASK_S)
            waited += _HELD_ASK_S

    def _is_modifier_held(self) -> bool:
        quartz = self._mac.quartz
        modifiers = (
            quartz.kCGEventFlagMaskCommand
            | quartz.kCGEventFlagMaskShift
            | quartz.kCGEventFlagMaskControl
            | quartz.kCGEventFlagMaskAlternate
        )
        return bool(
            quartz.CGEventSourceFlagsState(quartz.kCGEventSourceStateCombinedSessionState) & modifiers
        )

    def _press(self, stroke: Stroke, flags: int = 0) -> None:
        quartz = self._mac.quartz
        if stroke.has_shift:
            flags |= quartz.kCGEventFlagMaskShift
        for is_down in (True, False):
            event = quartz.CGEventCreateKeyboardEvent(self._source, stroke.key, is_down)
            if stroke.text:
                quartz.CGEventKeyboardSetUnicodeString(event, stroke.units, stroke.text)
            quartz.CGEventSetFlags(event, flags)
            quartz.CGEventSetIntegerValueField(event, quartz.kCGEventSourceUserData, MARK)
            quartz.CGEventPost(quartz.kCGHIDEventTap, event)
        self._sleep(_PAUSE_S)
