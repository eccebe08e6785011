"""The five ports on Linux, chosen by what this desktop is."""

import os
import shutil

from client.dictation.app import Desktop
from client.dictation.errors import NotTyped
from client.dictation.linux.no_hotkey import NoHotkey
from client.dictation.linux.permissions import LinuxPermissions
from client.dictation.linux.wayland import WtypeTyper
from client.dictation.linux.x11_hotkey import X11Hotkey
from client.dictation.linux.x11_typer import X11Typer
from client.dictation.plain_shell import PlainShell
from client.dictation.portaudio import PortAudioCapture
from client.dictation.portaudio import load as load_portaudio
from client.dictation.ports import Hotkey, Shell, Typer
from client.dictation.settings import Settings


def desktop(settings: Settings, *, plain: bool = False) -> Desktop:
    """The desktop of this session. `plain`: no icon and no window. Raises `NotTyped` where nothing can be
    typed."""
    load_portaudio()  # which takes a moment that the first key press would else pay for
    typer, hotkey = _keyboard()
    return Desktop(
        capture=PortAudioCapture(settings.microphone),
        typer=typer,
        hotkey=hotkey,
        permissions=LinuxPermissions(),
        shell=PlainShell() if plain else _shell(),
    )


def _keyboard() -> tuple[Typer, Hotkey]:
    # On Wayland X11 reaches only the apps that still use X11: `wtype` is better wherever it works.
    if os.environ.get("WAYLAND_DISPLAY"):
        if (wtype := shutil.which("wtype")) and WtypeTyper.works(wtype):
            return WtypeTyper(wtype), NoHotkey()
        if not os.environ.get("DISPLAY"):
            raise NotTyped("this Wayland desktop lets no program type: `wtype` is missing or refused")
    return X11Typer(), X11Hotkey()


def _shell() -> Shell:
    try:
        from client.dictation.linux.qt_shell import QtShell
    except ImportError:
        return PlainShell()
    return QtShell()
