"""Counts keys and mouse buttons that others press, with raw events of the X Input extension. What they are is
not looked at, but for modifiers, wheels, and the keys that the typer has lifted."""

import struct
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from Xlib.ext import xinput

_MASK: Final = xinput.RawKeyPressMask | xinput.RawKeyReleaseMask | xinput.RawButtonPressMask
_DETAIL: Final = struct.Struct("<6xI")
"""Where a raw event has its key or button, behind the event's kind: device, time, detail (XI2 protocol,
RawEvent)."""
_VERSION: Final = (2, 2)
"""Since 2.1 raw events come as well while another client has grabbed the device."""
_WHEELS: Final = range(4, 8)
"""Buttons that are none."""


class Presses:
    """What is pressed on a display, from `watch` on. One thread at a time."""

    def __init__(self, display: Any) -> None:
        """`display` is this counter's alone."""
        self._display = display
        self._root = display.screen().root
        self._pressed = self._own = 0
        self._released: Counter[int] = Counter()
        self._is_watching = False
        self._silent: Collection[int] = ()
        opcode = display.display.get_extension_major(xinput.extname)
        major, minor = _VERSION
        xinput.XIQueryVersion(
            display=display.display, opcode=opcode, major_version=major, minor_version=minor
        )

    def watch(self, silent: Collection[int]) -> None:
        """Begin, unless it has begun. `silent`: keys that don't count."""
        self._silent = silent
        if not self._is_watching:
            self._root.xinput_select_events([(xinput.AllMasterDevices, _MASK)])
            self._display.sync()
            self._is_watching = True

    def rest(self) -> None:
        """Stop: what comes now is not known."""
        if self._is_watching:
            self._root.xinput_select_events([(xinput.AllMasterDevices, 0)])
            self._display.sync()
            self._drain()
            self._is_watching = False

    def close(self) -> None:
        """Close its connection."""
        self._display.close()

    def add_own(self, count: int) -> None:
        """The typer has pressed so many keys itself that are not silent."""
        self._own += count

    def others(self) -> int | None:
        """How many presses were not the typer's; None while it does not watch."""
        self._display.sync()
        self._drain()
        return self._pressed - self._own if self._is_watching else None

    def released(self, code: int) -> int:
        """How often that key was let go, by anyone."""
        self._display.sync()
        self._drain()
        return self._released[code]

    def _drain(self) -> None:
        while self._display.pending_events():
            event = self._display.next_event()
            kind = getattr(event, "evtype", None)
            if kind is None or not isinstance(event.data, bytes):
                continue
            (detail,) = _DETAIL.unpack_from(event.data)
            if kind == xinput.RawKeyRelease:
                self._released[detail] += 1
            elif detail not in (_WHEELS if kind == xinput.RawButtonPress else self._silent):
                self._pressed += 1
