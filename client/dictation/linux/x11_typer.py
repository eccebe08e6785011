"""Types on X11 with the XTEST extension: any Unicode text, exactly.

A character that the layout has on a key is typed with that key; any other is first put on a spare key (one
that the layout leaves empty). A client learns of that in the order of its events, but asks the server for the
keys as they are by then: so a spare key is not given to another character before the app has read what was
typed with it.
"""

import contextlib
import os
import threading
import time
import unicodedata
from collections.abc import Generator, Sequence
from typing import Any, Final

from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import ConnectionClosedError, DisplayError, XError
from Xlib.ext import xtest

from client.dictation.core.graphemes import clusters
from client.dictation.core.target import Newline, Target
from client.dictation.errors import NotTyped
from client.dictation.linux.keymap import BACKSPACE, RETURN, Key, Keymap, is_spare, keysym_of
from client.dictation.linux.x11_clipboard import Clipboard
from client.dictation.linux.x11_focus import Focus
from client.dictation.linux.x11_presses import Presses
from client.dictation.linux.xkb import Keyboard, Locks

_HELD_S_MAX: Final = 0.5
"""How long keys that are held are waited for."""
_LOOK_S: Final = 0.01
_BATCH_CHARS: Final = 200
"""An app that is slow is waited for after so many."""
_SETTLE_S: Final = 0.1
"""For apps that do not say how far they have read."""
_WATCH_S: Final = 60.0
"""How long the presses of others are counted after the last typing: for so long it can be undone."""
_LOST: Final = "the X server is gone"


class X11Typer:
    """The port `Typer` on X11. Raises `NotTyped` where there is no X server, or one without what is
    needed."""

    def __init__(self, display_name: str | None = None) -> None:
        try:
            self._display: Any = Display(display_name)
            self._presses = Presses(Display(display_name))
            self._keyboard = Keyboard(self._display)
            self._clipboard = Clipboard(Display(display_name))
        except (DisplayError, ConnectionClosedError, OSError) as error:
            raise NotTyped(f"the X server {os.environ.get('DISPLAY', '')} can't be reached") from error
        except LookupError as missing:
            raise NotTyped(f"the X server lacks {missing}") from None
        if not self._display.has_extension("XTEST"):
            raise NotTyped("the X server lacks XTEST")
        self._errors: list[XError] = []
        self._display.set_error_handler(self._note_error)
        self._focus = Focus(self._display)
        self._lock = threading.RLock()
        self._resting: threading.Timer | None = None
        self._num_lock = 0
        self._read_layout()
        self._shift = self._display.keysym_to_keycode(XK.XK_Shift_L)
        self._control = self._display.keysym_to_keycode(XK.XK_Control_L)

    def target(self) -> Target:
        """See `Typer`."""
        with self._lock, contextlib.suppress(ConnectionClosedError):
            target = self._focus.target()
            return Target(target.app, target.window, self._focus.is_grabbed())
        return Target()

    def type(self, text: str, newline: Newline) -> None:
        """See `Typer`."""
        with self._typing() as typed:
            for piece in _pieces(_typable(text, newline)):
                self._type_piece(piece, shift_return=newline == "shift-return")
                typed.append(len(piece))

    def paste(self, text: str) -> None:
        """See `Typer`."""
        with self._typing(), self._clipboard.lent(_typable(text, "return")) as lent:
            code = self._keymap.plan([keysym_of("v")])[0].keys[0].code
            self._fake(X.KeyPress, self._control)
            self._press([Key(code)])
            self._fake(X.KeyRelease, self._control)
            self._display.sync()
            if not lent.wait_until_taken():
                raise NotTyped("the app in front did not take what was pasted")

    def erase(self, count: int) -> None:
        """See `Typer`."""
        with self._typing():
            keys = self._keymap.plan([BACKSPACE] * count)[0].keys if count else []
            for start in range(0, len(keys), _BATCH_CHARS):
                self._press(keys[start : start + _BATCH_CHARS])
                self._wait_for_reader()

    def presses(self) -> int | None:
        """See `Typer`."""
        with self._lock, contextlib.suppress(ConnectionClosedError):
            return self._presses.others()
        return None

    def copy(self, text: str) -> None:
        """See `Typer`."""
        with self._lock:
            self._clipboard.keep(text)

    def close(self) -> None:
        """See `Typer`."""
        with self._lock, contextlib.suppress(ConnectionClosedError, XError, OSError):
            if self._resting is not None:
                self._resting.cancel()
            if self._keymap.spare:
                self._keyboard.bind(dict.fromkeys(self._keymap.spare, 0))
            self._display.sync()
            self._presses.close()
            self._clipboard.close()
            self._display.close()

    @contextlib.contextmanager
    def _typing(self) -> Generator[list[int]]:
        """With no modifier down and nothing locked, as long as it takes. Gives a list of lengths typed."""
        typed: list[int] = []
        with self._lock:
            try:
                self._errors.clear()
                self._refresh()
                self._presses.watch(self._silent)
                with self._plain_keyboard():
                    yield typed
            except (XError, ConnectionClosedError, OSError, LookupError):
                raise NotTyped(_LOST, typed=sum(typed)) from None
            except NotTyped as error:
                raise NotTyped(str(error), typed=sum(typed)) from None
            finally:
                self._rest_later()

    def _type_piece(self, piece: str, *, shift_return: bool) -> None:
        for batch in self._keymap.plan([keysym_of(char) for char in piece]):
            if batch.bound:
                self._wait_for_reader()  # what the spare keys typed before
                self._keyboard.bind(batch.bound)
                self._display.sync()
                if self._errors:
                    raise LookupError("the keys could not be changed")
                self._wait_for_reader()  # the news: some programs look it up later than the keys behind it
            keys = list(batch.keys)
            if shift_return:
                plain = self._keymap.plan([RETURN])[0].keys[0]
                keys = [Key(plain.code, shift=True) if key == plain else key for key in keys]
            self._press(keys)
        self._wait_for_reader()

    def _press(self, keys: Sequence[Key]) -> None:
        is_shifted = False
        for key in keys:
            if key.shift != is_shifted:
                self._fake(X.KeyPress if key.shift else X.KeyRelease, self._shift)
                is_shifted = key.shift
            self._fake(X.KeyPress, key.code)
            self._fake(X.KeyRelease, key.code)
        if is_shifted:
            self._fake(X.KeyRelease, self._shift)
        self._display.sync()
        self._presses.add_own(len(keys))

    def _note_error(self, error: XError, _request: object) -> None:
        self._errors.append(error)

    def _wait_for_reader(self) -> None:
        if not self._focus.catch_up():
            time.sleep(_SETTLE_S)

    def _fake(self, kind: int, code: int) -> None:
        xtest.fake_input(self._display, kind, code)

    @contextlib.contextmanager
    def _plain_keyboard(self) -> Generator[None]:
        lifted = self._lift()
        before = self._keyboard.locks()
        affected = 0xFF & ~self._num_lock
        plain = Locks(0, 0)
        if (before.modifiers & affected, before.group) != (0, 0):
            self._keyboard.lock(plain, affected)
            self._display.sync()
        try:
            yield
        finally:
            if (before.modifiers & affected, before.group) != (0, 0):
                self._keyboard.lock(before, affected)
            # One that its user let go meanwhile is not put down again: it would stay down.
            for code, released in lifted.items():
                if self._presses.released(code) == released:
                    self._fake(X.KeyPress, code)
            self._display.sync()

    def _lift(self) -> dict[int, int]:
        """Let go of the modifiers that are still down after a while. Gives them, and how often each had been
        released then."""
        deadline = time.monotonic() + _HELD_S_MAX
        while (held := self._held()) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        for code in held:
            self._fake(X.KeyRelease, code)
        self._display.sync()
        return {code: self._presses.released(code) for code in held}

    def _held(self) -> list[int]:
        down = self._display.query_keymap()
        return [code for code in self._modifiers if down[code // 8] >> (code % 8) & 1]

    def _refresh(self) -> None:
        """Look whether another program, or the user, has changed the layout."""
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == X.MappingNotify:
                self._display.refresh_keyboard_mapping(event)
        if self._rows() != self._layout:
            self._read_layout()

    def _rows(self) -> dict[int, tuple[int, ...]]:
        """The layout: keysyms by keycode, none for spare ones."""
        first, last = self._display.display.info.min_keycode, self._display.display.info.max_keycode
        rows = zip(
            range(first, last + 1), self._display.get_keyboard_mapping(first, last - first + 1), strict=True
        )
        return {code: () if is_spare(row) else tuple(row) for code, row in rows}

    def _read_layout(self) -> None:
        self._read_modifiers()
        self._layout = self._rows()
        self._keymap = Keymap(self._layout, self._modifiers)

    def _read_modifiers(self) -> None:
        by_modifier = self._display.get_modifier_mapping()
        num_lock = self._display.keysym_to_keycode(XK.XK_Num_Lock)
        locks = {num_lock, self._display.keysym_to_keycode(XK.XK_Caps_Lock)}
        self._num_lock = sum(1 << n for n, codes in enumerate(by_modifier) if num_lock and num_lock in codes)
        self._silent = {code for codes in by_modifier for code in codes if code}
        self._modifiers = sorted(self._silent - locks)

    def _rest_later(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
        self._resting = threading.Timer(_WATCH_S, self._rest)
        self._resting.daemon = True
        self._resting.start()

    def _rest(self) -> None:
        with self._lock, contextlib.suppress(XError, ConnectionClosedError, OSError):
            self._presses.rest()


def _typable(text: str, newline: Newline) -> str:
    """The text without what no key types: control characters, and halves of surrogate pairs."""
    text = text.replace("\r\n", "\n")
    if newline == "space":
        text = text.replace("\n", " ")
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))


def _pieces(text: str) -> Generator[str]:
    """The text in pieces of whole clusters."""
    piece = ""
    for cluster in clusters(text):
        if piece and len(piece) + len(cluster) > _BATCH_CHARS:
            yield piece
            piece = ""
        piece += cluster
    if piece:
        yield piece
