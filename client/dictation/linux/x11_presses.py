"""Counts keys and mouse buttons that others press, with raw events of the X Input extension. What they are is
not looked at, but for the keys that the typer has lifted."""

import struct
from collections import Counter
from typing import Any, Final

from Xlib.ext import xinput

_MASK: Final = xinput.RawKeyPressMask | xinput.RawKeyReleaseMask | xinput.RawButtonPressMask
_DETAIL: Final = struct.Struct("<6xI")
"""Where a raw event has its keycode, behind the event's kind: device, time, detail (XI2 protocol,
RawEvent)."""


class Presses:
    """What is pressed on a display, from `watch` on. One thread at a time."""

    def __init__(self, display: Any) -> None:
        """`display` is this counter's alone."""
        self._display = display
        self._root = display.screen().root
        self._pressed = self._own = 0
        self._released: Counter[int] = Counter()
        self._is_watching = False
        display.xinput_query_version()

    def watch(self) -> None:
        """Begin, unless it has begun."""
        if not self._is_watching:
            self._root.xinput_select_events([(xinput.AllMasterDevices, _MASK)])
            self._display.sync()
            self._is_watching = True

    def rest(self) -> None:
        """Stop: what comes now is not known, so it counts as a press."""
        if self._is_watching:
            self._root.xinput_select_events([(xinput.AllMasterDevices, 0)])
            self._display.sync()
            self._drain()
            self._is_watching = False
            self._pressed += 1

    def close(self) -> None:
        """Close its connection."""
        self._display.close()

    def add_own(self, count: int) -> None:
        """The typer has pressed so many keys itself."""
        self._own += count

    def others(self) -> int:
        """How many presses were not the typer's."""
        self._display.sync()
        self._drain()
        return self._pressed - self._own

    def released(self, code: int) -> int:
        """How often that key was let go, by anyone."""
        self._display.sync()
        self._drain()
        return self._released[code]

    def _drain(self) -> None:
        while self._display.pending_events():
            event = self._display.next_event()
            kind = getattr(event, "evtype", None)
            if kind in (xinput.RawKeyPress, xinput.RawButtonPress):
                self._pressed += 1
            elif kind == xinput.RawKeyRelease and isinstance(event.data, bytes):
                self._released[_DETAIL.unpack_from(event.data)[0]] += 1
