"""What has the keyboard's focus on X11, and whether it has got to the end of what it was sent."""

import time
from typing import Any, Final

import psutil
from Xlib import X
from Xlib.error import XError
from Xlib.ext import res

from client.dictation.core.target import Target

_IDLE_S_MAX: Final = 0.5
_LOOK_S: Final = 0.005
_IDLE_LOOKS: Final = 4
_ROOTS: Final = (X.NONE, X.PointerRoot)


class Focus:
    """Looks at a display's focus. One thread at a time."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._root = display.screen().root

    def target(self) -> Target:
        """What has the focus. The window is the one that was given it, the app that of the window around
        it."""
        try:
            focus = self._display.get_input_focus().focus
            if focus in _ROOTS or isinstance(focus, int):
                return Target()
            for window in self._outwards(focus):
                if names := window.get_wm_class():
                    return Target(app=str(names[1]), window=hex(window.id))
            return Target(window=hex(focus.id))
        except XError:  # it was closed meanwhile
            return Target()

    def is_grabbed(self) -> bool:
        """Whether another program has taken the keyboard, as those do that ask for passwords."""
        try:
            answer = self._root.grab_keyboard(False, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
            if answer == X.GrabSuccess:
                self._display.ungrab_keyboard(X.CurrentTime)
            self._display.sync()
        except XError:
            return False
        return answer == X.AlreadyGrabbed

    def catch_up(self) -> bool:
        """Wait until the app in front has read all events that it was sent: then it waits for more, and uses
        no CPU. Returns False when that can't be seen, because it runs on another machine or never rests."""
        process = self._process()
        if process is None:
            return False
        deadline, idle, used_s = time.monotonic() + _IDLE_S_MAX, 0, 0.0
        while idle < _IDLE_LOOKS:
            if time.monotonic() > deadline:
                return False
            self._display.sync()  # the X server, too, has to have had its turn
            time.sleep(_LOOK_S)
            before_s = used_s
            try:
                used_s, state = _used_s(process), process.status()
            except psutil.Error:
                return False
            idle = idle + 1 if state == psutil.STATUS_SLEEPING and before_s == used_s else 0
        return True

    def _process(self) -> psutil.Process | None:
        """The local process that has the focus."""
        try:
            focus = self._display.get_input_focus().focus
            if isinstance(focus, int) or not self._display.has_extension("X-Resource"):
                return None
            asked = [{"client": focus.id, "mask": res.LocalClientPIDMask}]
            answers = self._display.res_query_client_ids(asked).ids
            return psutil.Process(answers[0].value[0]) if answers and answers[0].value else None
        except (XError, psutil.Error):
            return None

    def _outwards(self, window: Any) -> list[Any]:
        """The window and those around it, to below the root."""
        windows: list[Any] = []
        while window != 0 and window.id != self._root.id:
            windows.append(window)
            window = window.query_tree().parent
        return windows


def _used_s(process: psutil.Process) -> float:
    """CPU seconds that it has used."""
    times = process.cpu_times()
    return times.user + times.system
