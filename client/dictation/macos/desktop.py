"""The ports on macOS, as the settings want them."""

from client.dialing import dial
from client.dictation.app import Desktop
from client.dictation.macos.capture import MacCapture
from client.dictation.macos.carbon import Carbon
from client.dictation.macos.clipboard import Clipboard
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.hotkey import MacHotkey
from client.dictation.macos.page import MacPage
from client.dictation.macos.permissions import MacPermissions
from client.dictation.macos.shell import MacShell
from client.dictation.macos.typer import MacTyper
from client.dictation.macos.urlsession import url_session_dial
from client.dictation.portaudio import PortAudioCapture
from client.dictation.ports import Capture
from client.dictation.settings import Settings


def desktop(
    settings: Settings, *, plain: bool = False, mac: Frameworks | None = None, carbon: Carbon | None = None
) -> Desktop:
    """This Mac. `plain`: no icon and no window; `mac` and `carbon` are for tests. Raises `NotInstalled`."""
    mac, carbon = mac or Frameworks(), carbon or Carbon()
    mac.load("objc")  # said now, and not at the first word
    permissions = MacPermissions(mac)
    # AVAudioEngine listens to the microphone that is chosen in System Settings: another one is PortAudio's.
    is_portaudio = settings.capture == "portaudio" or bool(settings.microphone)
    capture: Capture = PortAudioCapture(settings.microphone) if is_portaudio else MacCapture(mac)
    return Desktop(
        capture=capture,
        typer=MacTyper(mac, carbon, Clipboard(mac, carbon)),
        hotkey=MacHotkey(mac, carbon),
        permissions=permissions,
        shell=MacShell(mac, permissions, plain=plain),
        page=MacPage(mac),
        dial=url_session_dial(mac) if settings.transport == "urlsession" else dial,
    )
