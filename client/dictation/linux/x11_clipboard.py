"""The clipboard on X11 (ICCCM section 2): holds a text for others to take, and what was there before."""

import contextlib
import os
import select
import threading
import time
from collections.abc import Generator
from typing import Any, Final

from Xlib import X, Xatom
from Xlib.error import ConnectionClosedError, XError
from Xlib.protocol import event as xevent

from client.dictation.errors import NotTyped

_ANSWER_S_MAX: Final = 0.5
_TAKEN_S_MAX: Final = 2.0
_QUIET_S: Final = 0.15
"""A reader that has asked may ask again, for another form."""
_LOOK_S: Final = 0.02
_KEPT_BYTES_MAX: Final = 16 * 1024 * 1024
_UNKEPT: Final = ("TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION")

Content = dict[int, tuple[int, int, bytes]]
"""By target: type, format (bits of an item) and bytes."""


class Lent:
    """A text that stands on the clipboard for a moment."""

    def __init__(self) -> None:
        self.asked_at: float | None = None

    def wait_until_taken(self) -> bool:
        """Wait until it has been read, and the reader asks no more. Returns False when nobody came."""
        deadline = time.monotonic() + _TAKEN_S_MAX
        while time.monotonic() < deadline:
            if self.asked_at is not None and time.monotonic() - self.asked_at > _QUIET_S:
                return True
            time.sleep(0.01)
        return self.asked_at is not None


class Clipboard:
    """One display's clipboard. A thread serves it from the first use on; the display is the clipboard's
    alone."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        self._clipboard = display.intern_atom("CLIPBOARD")
        self._targets = display.intern_atom("TARGETS")
        self._utf8 = display.intern_atom("UTF8_STRING")
        self._incremental = display.intern_atom("INCR")
        self._property = display.intern_atom("STENO_CLIPBOARD")
        self._texts = [self._utf8, display.intern_atom("text/plain;charset=utf-8"), Xatom.STRING]
        self._content: Content = {}
        self._lent: Lent | None = None
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._wake = os.pipe()

    def keep(self, text: str) -> None:
        """Put a text there, for good."""
        with self._lock:
            self._own(self._as_content(text))

    @contextlib.contextmanager
    def lent(self, text: str) -> Generator[Lent]:
        """Put a text there and afterwards what was there before, unless another program has taken over."""
        with self._lock:
            before = self._read()
            lent = self._lent = Lent()
            self._own(self._as_content(text))
        try:
            yield lent
        finally:
            with self._lock:
                self._lent = None
                if self._is_ours():
                    self._own(before)

    def close(self) -> None:
        """Stop serving: the clipboard is empty then if it was ours."""
        self._is_closed = True
        os.write(self._wake[1], b"x")
        if self._thread is not None:
            self._thread.join(1.0)
        with contextlib.suppress(ConnectionClosedError, OSError):
            self._display.close()
        for end in self._wake:
            os.close(end)

    def _as_content(self, text: str) -> Content:
        data = text.encode()
        latin = (Xatom.STRING, 8, text.encode("latin-1", "replace"))
        return {target: latin if target == Xatom.STRING else (self._utf8, 8, data) for target in self._texts}

    def _own(self, content: Content) -> None:
        self._content = content
        if content:
            self._window.set_selection_owner(self._clipboard, X.CurrentTime)
        elif self._is_ours():
            self._display.set_selection_owner(X.NONE, self._clipboard, X.CurrentTime)
        self._display.sync()
        self._answer_all()  # what came with that: the thread would not see it before the next
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="clipboard", daemon=True)
            self._thread.start()

    def _is_ours(self) -> bool:
        owner = self._display.get_selection_owner(self._clipboard)
        return not isinstance(owner, int) and owner.id == self._window.id

    def _read(self) -> Content:
        """What is there, in every form that it has. Raises `NotTyped` for more than is kept here."""
        if self._is_ours():
            return dict(self._content)
        names = self._fetch(self._targets)
        if names is None:
            return {}
        content, size = Content(), 0
        for target in memoryview(names[2]).cast("I"):
            if self._display.get_atom_name(target) in _UNKEPT:
                continue
            if (form := self._fetch(target)) is not None:
                content[target] = form
                size += len(form[2])
                if size > _KEPT_BYTES_MAX or form[0] == self._incremental:
                    raise NotTyped("what is on the clipboard is too large to be put back after pasting")
        return content

    def _fetch(self, target: int) -> tuple[int, int, bytes] | None:
        self._window.convert_selection(self._clipboard, target, self._property, X.CurrentTime)
        self._display.flush()
        deadline = time.monotonic() + _ANSWER_S_MAX
        while (left_s := deadline - time.monotonic()) > 0:
            while self._display.pending_events():
                event = self._display.next_event()
                if event.type == X.SelectionRequest:
                    self._answer(event)
                elif event.type == X.SelectionNotify and event.target == target:
                    return self._property_value() if event.property != X.NONE else None
            select.select([self._display.fileno()], [], [], left_s)
        return None

    def _property_value(self) -> tuple[int, int, bytes] | None:
        found = self._window.get_full_property(self._property, X.AnyPropertyType, sizehint=1 << 20)
        self._window.delete_property(self._property)
        if found is None:
            return None
        value = found.value  # bytes, or an array of wider items
        return found.property_type, found.format, value if isinstance(value, bytes) else value.tobytes()

    def _serve(self) -> None:
        with contextlib.suppress(ConnectionClosedError, OSError, ValueError):
            while not self._is_closed:
                patience_s = _LOOK_S if self._lent else None
                select.select([self._display.fileno(), self._wake[0]], [], [], patience_s)
                with self._lock:
                    self._answer_all()

    def _answer_all(self) -> None:
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == X.SelectionRequest:
                self._answer(event)

    def _answer(self, event: Any) -> None:
        form = self._content.get(event.target)
        place = event.property or event.target
        with contextlib.suppress(XError):
            if event.target == self._targets:
                names = [self._targets, *self._content]
                event.requestor.change_property(place, Xatom.ATOM, 32, names)
            elif form is not None:
                event.requestor.change_property(place, form[0], form[1], _items(form[1], form[2]))
                if self._lent is not None and event.target in self._texts:
                    self._lent.asked_at = time.monotonic()
            else:
                place = X.NONE
            answer = xevent.SelectionNotify(
                time=event.time,
                requestor=event.requestor,
                selection=event.selection,
                target=event.target,
                property=place,
            )
            event.requestor.send_event(answer)
            self._display.flush()


def _items(width: int, data: bytes) -> Any:
    return data if width == 8 else list(memoryview(data).cast("H" if width == 16 else "I"))
