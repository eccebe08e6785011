"""Types on Wayland with `wtype`, where the compositor has the virtual-keyboard protocol: wlroots (Sway,
Hyprland, …).

What is typed goes through its standard input: arguments of a process can be seen by everyone.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from client.dictation.core.target import Newline, Target
from client.dictation.errors import NotTyped

_TYPE_S_MAX: Final = 60.0
_PAUSE_MS: Final = "100"
"""A new virtual keyboard's first key is lost while the app reads its layout: a key that does nothing goes
first."""
FIRST: Final = ("-P", "Shift_L", "-p", "Shift_L", "-s", _PAUSE_MS)


class WtypeTyper:
    """The port `Typer` on such compositors. What has the focus is not known there, nor who presses keys: so
    per-app rules and taking back do nothing."""

    def __init__(self, wtype: str) -> None:
        self._wtype = wtype

    @staticmethod
    def works(wtype: str) -> bool:
        """Whether the compositor lets it type."""
        try:
            return (
                subprocess.run([wtype, "-s", "1"], capture_output=True, timeout=5, check=False).returncode
                == 0
            )
        except (OSError, subprocess.TimeoutExpired):
            return False

    def target(self) -> Target:
        """See `Typer`."""
        return Target()

    def type(self, text: str, newline: Newline) -> None:
        """See `Typer`."""
        if newline == "space":
            text = text.replace("\n", " ")
        if newline != "shift-return":
            self._run([], text)
            return
        for number, line in enumerate(text.split("\n")):
            if number:
                self._run(["-M", "shift", "-k", "Return", "-m", "shift"])
            if line:
                self._run([], line)

    def paste(self, text: str) -> None:
        """See `Typer`: here it is typed, because the clipboard's content could not be put back."""
        self.type(text, "return")

    def erase(self, count: int) -> None:
        """See `Typer`."""
        self._run(["-k", "BackSpace"] * count)

    def presses(self) -> None:
        """See `Typer`: it is not known."""

    def copy(self, text: str) -> None:
        """See `Typer`."""
        if (tool := shutil.which("wl-copy")) is None:
            raise NotTyped("copying needs `wl-copy`")
        self._call([tool], text)

    def close(self) -> None:
        """See `Typer`."""

    def _run(self, arguments: list[str], text: str | None = None) -> None:
        self._call([self._wtype, *FIRST, *arguments, *(["-"] if text is not None else [])], text)

    def _call(self, command: list[str], text: str | None) -> None:
        try:
            # `wl-copy` stays to serve the clipboard, and would keep a pipe for its output open.
            done = subprocess.run(
                command,
                input=(text or "").encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_TYPE_S_MAX,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            raise NotTyped(f"`{Path(command[0]).name}` did not answer") from None
        if done.returncode:
            raise NotTyped(f"the compositor refused `{Path(command[0]).name}`")
