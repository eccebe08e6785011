"""A Wayland desktop: Sway, a compositor on wlroots, without a screen."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final, Self

from bench.desktop import Screen, wait_until
from client.dictation.linux.wayland import FIRST

_PROGRAMS: Final = ("sway", "wtype", "wl-copy", "pulseaudio", "pactl", "paplay")
_HEADLESS: Final = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
_NOBODY: Final = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


class Sway(Screen):
    """A screen whose windows speak Wayland, and nothing else."""

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Generator[Self]:
        """One of its own. Raises `LookupError` where programs are missing."""
        with (
            tempfile.TemporaryDirectory(prefix="steno-sway-", ignore_cleanup_errors=True) as runtime,
            cls.empty(folder, _PROGRAMS) as screen,
        ):
            screen.start_compositor(Path(runtime))
            yield screen

    def start_compositor(self, runtime: Path) -> None:
        """Start it, with its socket in a folder of its own: it refuses to be run by root."""
        config = runtime / "config"
        config.write_text("xwayland disable\noutput HEADLESS-1 resolution 1280x800\n")
        user: tuple[str, ...] = ()
        if os.getuid() == 0:
            user = _NOBODY
            shutil.chown(runtime, "nobody")
        own = {"XDG_RUNTIME_DIR": str(runtime), **_HEADLESS}
        self.start(*user, "sway", "--config", str(config), environment=own)
        wait_until(lambda: list(runtime.glob("wayland-?")), "a compositor")
        [socket] = runtime.glob("wayland-?")
        self.environment |= {"WAYLAND_DISPLAY": str(socket), "QT_QPA_PLATFORM": "wayland"}
        wait_until(lambda: self._answers(), "its answer")

    def press(self, *keys: str) -> None:
        """Press keys, as their user would."""
        for key in keys:
            subprocess.run(["wtype", *FIRST, "-k", key], env=self.environment, check=True)

    def _answers(self) -> bool:
        done = subprocess.run(["wtype", "-s", "1"], env=self.environment, capture_output=True, check=False)
        return done.returncode == 0
