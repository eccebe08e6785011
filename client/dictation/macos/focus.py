"""What has the keyboard's focus: the app in front, its window, and whether that is a password field."""

from typing import Any, Final

from client.dictation.core.target import Target
from client.dictation.macos.carbon import Carbon
from client.dictation.macos.frameworks import Frameworks

_ASK_S_MAX: Final = 0.2
"""How long the app in front may take to say what its focus is."""
_NORMAL_LAYER: Final = 0


class Focus:
    """Asked anew at each call. Nothing here fails: what is not known is empty."""

    def __init__(self, mac: Frameworks, carbon: Carbon) -> None:
        self._mac = mac
        self._carbon = carbon

    def target(self) -> Target:
        """Where typed text would go."""
        with self._mac.objc.autorelease_pool():
            app = self._mac.appkit.NSWorkspace.sharedWorkspace().frontmostApplication()
            if app is None:
                return Target(is_secure=self._carbon.is_secure_input())
            pid = app.processIdentifier()
            return Target(
                app=app.bundleIdentifier() or app.localizedName() or "",
                window=self._window(pid),
                is_secure=self._carbon.is_secure_input() or self._is_password_field(pid),
            )

    def _window(self, pid: int) -> str:
        """The front window of that process. Window numbers and owners need no permission, titles would."""
        quartz = self._mac.quartz
        which = quartz.kCGWindowListOptionOnScreenOnly | quartz.kCGWindowListExcludeDesktopElements
        windows: Any = quartz.CGWindowListCopyWindowInfo(which, quartz.kCGNullWindowID) or ()
        for window in windows:  # front to back
            is_normal = window.get(quartz.kCGWindowLayer) == _NORMAL_LAYER
            if is_normal and window.get(quartz.kCGWindowOwnerPID) == pid:
                return f"{pid}:{window.get(quartz.kCGWindowNumber)}"
        return str(pid)

    def _is_password_field(self, pid: int) -> bool:
        ax = self._mac.accessibility
        if not ax.AXIsProcessTrusted():
            return False
        app = ax.AXUIElementCreateApplication(pid)
        ax.AXUIElementSetMessagingTimeout(app, _ASK_S_MAX)
        error, focused = ax.AXUIElementCopyAttributeValue(app, ax.kAXFocusedUIElementAttribute, None)
        if error or focused is None:
            return False
        ax.AXUIElementSetMessagingTimeout(focused, _ASK_S_MAX)
        error, subrole = ax.AXUIElementCopyAttributeValue(focused, ax.kAXSubroleAttribute, None)
        return not error and subrole == ax.kAXSecureTextFieldSubrole
