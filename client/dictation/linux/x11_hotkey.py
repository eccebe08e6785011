"""Keys that work in every app, on X11: grabbed passively on the root window, so that the app does not get
them."""

import contextlib
import os
import select
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import BadAccess, CatchError, ConnectionClosedError, DisplayError

from client.dictation.core.chords import Chord
from client.dictation.errors import HotkeyTaken
from client.dictation.linux.keymap import keysym_of

_HELD_LOOK_S: Final = 0.02
"""How often a key that is held is looked at: until then nothing is."""
_MASKS: Final = {"ctrl": X.ControlMask, "alt": X.Mod1Mask, "shift": X.ShiftMask, "super": X.Mod4Mask}
_NAMES: Final = {
    "space": "space",
    "pause": "Pause",
    "insert": "Insert",
    "menu": "Menu",
    "scroll_lock": "Scroll_Lock",
}


class X11Hotkey:
    """The port `Hotkey` on X11."""

    def __init__(self, display_name: str | None = None) -> None:
        self._name = display_name
        self._display: Any = None
        self._thread: threading.Thread | None = None
        self._wake = (-1, -1)
        self._on_key: Callable[[str, bool], None] = lambda _name, _is_down: None
        self._grabbed: dict[tuple[int, int], str] = {}
        """By keycode and modifiers."""

    def start(self, chords: Mapping[str, Chord], on_key: Callable[[str, bool], None]) -> None:
        """See `Hotkey`."""
        try:
            self._display = Display(self._name)
        except (DisplayError, ConnectionClosedError, OSError):
            raise HotkeyTaken(
                "the X server can't be reached; without hotkeys use `steno dictate toggle`"
            ) from None
        self._root = self._display.screen().root
        self._on_key = on_key
        by_modifier = self._display.get_modifier_mapping()
        num_lock = self._display.keysym_to_keycode(XK.XK_Num_Lock)
        self._num_lock = sum(1 << n for n, codes in enumerate(by_modifier) if num_lock and num_lock in codes)
        try:
            for name, chord in chords.items():
                self._grab(name, chord)
        except HotkeyTaken:
            self._close()
            raise
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="hotkey", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """See `Hotkey`."""
        if self._thread is not None:
            os.write(self._wake[1], b"x")
            self._thread.join()
            self._thread = None
            for end in self._wake:
                os.close(end)
        self._close()

    def _close(self) -> None:
        self._grabbed.clear()
        if self._display is not None:
            with contextlib.suppress(ConnectionClosedError, OSError):
                self._display.close()  # the grabs go with it
            self._display = None

    def _grab(self, name: str, chord: Chord) -> None:
        code = self._display.keysym_to_keycode(_keysym(chord.key))
        if not code:
            raise HotkeyTaken(f"{chord}: this keyboard has no such key")
        modifiers = sum(_MASKS[modifier] for modifier in chord.modifiers)
        refused = CatchError(BadAccess)
        for locks in {0, X.LockMask, self._num_lock, X.LockMask | self._num_lock}:
            self._root.grab_key(
                code, modifiers | locks, False, X.GrabModeAsync, X.GrabModeAsync, onerror=refused
            )
        self._display.sync()
        if refused.get_error():
            raise HotkeyTaken(f"{chord}: another program has these keys; choose others in the settings")
        self._grabbed[code, modifiers] = name

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosedError, OSError, ValueError):
            while self._wait():
                while self._display.pending_events():
                    event = self._display.next_event()
                    if event.type == X.KeyPress and (name := self._name_of(event)) is not None:
                        self._follow(name, event.detail)

    def _name_of(self, event: Any) -> str | None:
        modifiers = event.state & (X.ControlMask | X.Mod1Mask | X.ShiftMask | X.Mod4Mask)
        return self._grabbed.get((event.detail, modifiers))

    def _follow(self, name: str, code: int) -> None:
        """From its press until the key is let go.

        The keyboard is given back at once, or what is typed meanwhile would come here. So the release is not
        an event of ours, and is looked for; and the key must not repeat, because each repetition takes the
        keyboard.
        """
        self._display.change_keyboard_control(key=code, auto_repeat_mode=X.AutoRepeatModeOff)
        self._display.ungrab_keyboard(X.CurrentTime)
        self._display.sync()
        try:
            self._on_key(name, True)
            while self._is_down(code) and not self._is_over(_HELD_LOOK_S):
                pass
        finally:
            self._display.change_keyboard_control(key=code, auto_repeat_mode=X.AutoRepeatModeDefault)
            self._display.sync()
            self._on_key(name, False)

    def _is_down(self, code: int) -> bool:
        return bool(self._display.query_keymap()[code // 8] >> (code % 8) & 1)

    def _wait(self) -> bool:
        """Wait for an event. Returns False when it is to end."""
        if self._display.pending_events():
            return True
        ready, _, _ = select.select([self._display.fileno(), self._wake[0]], [], [])
        return self._wake[0] not in ready

    def _is_over(self, patience_s: float) -> bool:
        return bool(select.select([self._wake[0]], [], [], patience_s)[0])


def _keysym(key: str) -> int:
    if len(key) == 1:
        return keysym_of(key)
    if key.startswith("f") and key[1:].isdigit():
        return XK.XK_F1 + int(key[1:]) - 1
    return XK.string_to_keysym(_NAMES[key])
