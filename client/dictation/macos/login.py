"""Launch at login, for an app that is a bundle: macOS starts bundles, not scripts."""

from typing import Final, Literal

from client.dictation.macos.frameworks import Frameworks

BUNDLE: Final = "dev.steno.dictation"
"""Identifier of the app that briefcase builds."""

LoginState = Literal["on", "off", "approve", "unavailable"]
"""`approve`: the user must allow it in System Settings; `unavailable`: this is no app, or macOS is older than
13."""


def is_bundled(mac: Frameworks) -> bool:
    """Whether this runs as the app, not from a terminal."""
    return mac.foundation.NSBundle.mainBundle().bundleIdentifier() == BUNDLE


class LaunchAtLogin:
    """SMAppService for the app itself."""

    def __init__(self, mac: Frameworks) -> None:
        self._mac = mac

    def state(self) -> LoginState:
        """What System Settings says of it."""
        management = self._mac.service_management
        if not is_bundled(self._mac) or not hasattr(management, "SMAppService"):
            return "unavailable"
        status = management.SMAppService.mainAppService().status()
        if status == management.SMAppServiceStatusEnabled:
            return "on"
        return "approve" if status == management.SMAppServiceStatusRequiresApproval else "off"

    def toggle(self) -> None:
        """Change it, or show where the user must allow it."""
        state = self.state()
        if state == "unavailable":
            return
        service = self._mac.service_management.SMAppService
        if state == "approve":
            service.openSystemSettingsLoginItems()
        elif state == "on":
            service.mainAppService().unregisterAndReturnError_(None)
        else:
            service.mainAppService().registerAndReturnError_(None)
