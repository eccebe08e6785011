"""The window of the self-test: a text view of AppKit's own, which takes keys as any app does."""

from typing import Any, Final

from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.main_thread import on_main

_FRAME: Final = ((0.0, 0.0), (640.0, 260.0))


class MacPage:
    """`Page` on macOS."""

    def __init__(self, mac: Frameworks) -> None:
        self._mac = mac
        self._window: Any = None
        self._view: Any = None

    def open(self) -> None:
        """See `Page`."""
        on_main(self._mac, self._open)

    def text(self) -> str:
        """See `Page`."""
        return on_main(self._mac, lambda: str(self._view.string()))

    def close(self) -> None:
        """See `Page`."""
        on_main(self._mac, self._close)

    def _open(self) -> None:
        appkit = self._mac.appkit
        style = appkit.NSWindowStyleMaskTitled | appkit.NSWindowStyleMaskClosable
        self._window = window = appkit.NSWindow.alloc().initWithContentRect_styleMask_backing_defer_(
            _FRAME, style, appkit.NSBackingStoreBuffered, False
        )
        window.setReleasedWhenClosed_(False)  # PyObjC holds it as well
        window.setTitle_("Steno: self-test")
        self._view = view = appkit.NSTextView.alloc().initWithFrame_(_FRAME)
        # Corrections while typing would be taken for characters that were lost.
        view.setAutomaticQuoteSubstitutionEnabled_(False)
        view.setAutomaticDashSubstitutionEnabled_(False)
        view.setAutomaticTextReplacementEnabled_(False)
        view.setAutomaticSpellingCorrectionEnabled_(False)
        window.setContentView_(view)
        # This once the app comes to the front, because there the text is to go.
        appkit.NSApplication.sharedApplication().activateIgnoringOtherApps_(True)
        window.makeKeyAndOrderFront_(None)
        window.makeFirstResponder_(view)

    def _close(self) -> None:
        if self._window is not None:
            self._window.close()
        self._window = self._view = None
