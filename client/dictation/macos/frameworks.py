"""Apple's frameworks as PyObjC shows them, imported when they are first used."""

from functools import cached_property
from importlib import import_module
from typing import Any

from client.errors import NotInstalled


class Frameworks:
    """One attribute for each. They are Any because PyObjC has no types: what may be called, and how, is
    checked in tests against its metadata. Each raises `NotInstalled` where PyObjC is not there."""

    @cached_property
    def objc(self) -> Any:
        """PyObjC itself."""
        return self.load("objc")

    @cached_property
    def app_helper(self) -> Any:
        """Calls on the main thread."""
        return self.load("PyObjCTools.AppHelper")

    @cached_property
    def mach_signals(self) -> Any:
        """Signals while the main loop runs."""
        return self.load("PyObjCTools.MachSignals")

    @cached_property
    def foundation(self) -> Any:
        """URLs, notifications, WebSockets."""
        return self.load("Foundation")

    @cached_property
    def appkit(self) -> Any:
        """Windows, menus, the clipboard, which app is in front."""
        return self.load("AppKit")

    @cached_property
    def quartz(self) -> Any:
        """Keyboard events."""
        return self.load("Quartz")

    @cached_property
    def avfoundation(self) -> Any:
        """The microphone. Not `AVFAudio`, whose metadata lacks what `AVFoundation` adds to it."""
        return self.load("AVFoundation")

    @cached_property
    def accessibility(self) -> Any:
        """Whether this app may type, and what has the focus."""
        return self.load("ApplicationServices")

    @cached_property
    def service_management(self) -> Any:
        """Launch at login."""
        return self.load("ServiceManagement")

    def load(self, name: str) -> Any:
        """The module called that."""
        try:
            return import_module(name)
        except ImportError:
            raise NotInstalled(f"{name} is not here; on macOS: pip install 'steno[macos]'") from None
