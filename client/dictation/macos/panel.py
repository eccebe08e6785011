"""The small window with what is being said: above all others, on every space, and never in the way. It takes
neither the keyboard's focus nor the mouse, or the text would be typed into itself."""

from typing import Any, Final

from client.dictation.core.view import State, View
from client.dictation.macos.frameworks import Frameworks

_WIDTH: Final = 560.0
_HEIGHT: Final = 118.0
_MARGIN: Final = 14.0
_ABOVE_DOCK: Final = 24.0
_QUIET_DB: Final = -60.0


class Panel:
    """Lives on the main thread."""

    def __init__(self, mac: Frameworks) -> None:
        self._appkit = appkit = mac.appkit
        style = appkit.NSWindowStyleMaskNonactivatingPanel | appkit.NSWindowStyleMaskBorderless
        self._panel = panel = appkit.NSPanel.alloc().initWithContentRect_styleMask_backing_defer_(
            ((0.0, 0.0), (_WIDTH, _HEIGHT)), style, appkit.NSBackingStoreBuffered, False
        )
        panel.setLevel_(appkit.NSStatusWindowLevel)
        panel.setCollectionBehavior_(
            appkit.NSWindowCollectionBehaviorCanJoinAllSpaces
            | appkit.NSWindowCollectionBehaviorFullScreenAuxiliary
            | appkit.NSWindowCollectionBehaviorStationary
        )
        panel.setIgnoresMouseEvents_(True)
        panel.setBecomesKeyOnlyIfNeeded_(True)
        panel.setHidesOnDeactivate_(False)  # this app is never the active one
        panel.setReleasedWhenClosed_(False)
        panel.setOpaque_(False)
        panel.setBackgroundColor_(appkit.NSColor.clearColor())
        self._background = appkit.NSVisualEffectView.alloc().initWithFrame_(((0.0, 0.0), (_WIDTH, _HEIGHT)))
        self._background.setMaterial_(appkit.NSVisualEffectMaterialHUDWindow)
        self._background.setState_(appkit.NSVisualEffectStateActive)
        panel.setContentView_(self._background)
        self._headline = self._label(86.0, 18.0, appkit.NSFont.boldSystemFontOfSize_(14.0))
        self._interim = self._label(60.0, 22.0, appkit.NSFont.systemFontOfSize_(16.0))
        self._last = self._label(36.0, 18.0, appkit.NSFont.systemFontOfSize_(13.0))
        self._last.setTextColor_(appkit.NSColor.secondaryLabelColor())
        self._notice = self._label(12.0, 18.0, appkit.NSFont.systemFontOfSize_(12.0))
        self._notice.setTextColor_(appkit.NSColor.systemOrangeColor())
        self._level = self._level_bar()
        self._is_shown = False

    def show(self, view: View, advice: str = "") -> None:
        """Draw this; hide when there is nothing to say. `advice` is what the user should do first."""
        notice = view.notice or advice
        if view.state == State.OFF and not notice:
            if self._is_shown:
                self._panel.orderOut_(None)
                self._is_shown = False
            return
        self._headline.setStringValue_(view.headline)
        self._headline.setTextColor_(self._colour(view))
        self._interim.setStringValue_(view.interim)
        self._last.setStringValue_(view.last)
        self._notice.setStringValue_(notice)
        self._level.setHidden_(view.level_db is None)
        if view.level_db is not None:
            self._level.setDoubleValue_(max(0.0, view.level_db - _QUIET_DB))
        if not self._is_shown:
            self._place()
            self._panel.orderFrontRegardless()  # `makeKeyAndOrderFront:` would take the focus
            self._is_shown = True

    def close(self) -> None:
        """Take it away."""
        self._panel.orderOut_(None)

    def _place(self) -> None:
        """At the bottom of the screen that has the focus."""
        screen = self._appkit.NSScreen.mainScreen()
        if screen is not None:
            (x, y), (width, _) = screen.visibleFrame()
            self._panel.setFrameOrigin_((x + (width - _WIDTH) / 2, y + _ABOVE_DOCK))

    def _colour(self, view: View) -> Any:
        colour = self._appkit.NSColor
        lights = {
            "on": colour.systemGreenColor,
            "wait": colour.systemOrangeColor,
            "red": colour.systemRedColor,
        }
        return lights.get(view.light, colour.labelColor)()

    def _label(self, y: float, height: float, font: Any) -> Any:
        appkit = self._appkit
        label = appkit.NSTextField.labelWithString_("")
        label.setFrame_(((_MARGIN, y), (_WIDTH - 2 * _MARGIN, height)))
        label.setFont_(font)
        label.setLineBreakMode_(appkit.NSLineBreakByTruncatingHead)  # the newest words are at the end
        self._background.addSubview_(label)
        return label

    def _level_bar(self) -> Any:
        appkit = self._appkit
        frame = ((_WIDTH - 110.0 - _MARGIN, 90.0), (110.0, 12.0))
        bar = appkit.NSLevelIndicator.alloc().initWithFrame_(frame)
        bar.setLevelIndicatorStyle_(appkit.NSLevelIndicatorStyleContinuousCapacity)
        bar.setMinValue_(0.0)
        bar.setMaxValue_(-_QUIET_DB)
        self._background.addSubview_(bar)
        return bar
