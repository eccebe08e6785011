"""The icon in the menu bar and its menu."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from client.dictation.core.view import Light, View
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.menu_model import SYMBOLS, TITLES, Item


@cache
def _target_class(mac: Frameworks) -> Any:
    """Objective-C knows classes by name, so there can only be one."""

    class StenoMenuTarget(mac.foundation.NSObject):
        """Is told that the menu opens, and which item was picked; menus want an object for that."""

        def menuWillOpen_(self, _menu: Any) -> None:
            self.on_open()

        def picked_(self, item: Any) -> None:
            self.on_pick(item.representedObject())

    return StenoMenuTarget


class Menu:
    """Lives on the main thread."""

    def __init__(self, mac: Frameworks, on_pick: Callable[[str], None], on_open: Callable[[], None]) -> None:
        """`on_open` is called when the menu opens; `on_pick` gets the action of the item that was picked."""
        self._appkit = appkit = mac.appkit
        self._target = _target_class(mac).alloc().init()
        self._target.on_pick, self._target.on_open = on_pick, on_open
        bar = appkit.NSStatusBar.systemStatusBar()
        # The bar does not keep its items: without a reference the icon is gone at once.
        self._item = bar.statusItemWithLength_(appkit.NSVariableStatusItemLength)
        self._menu = appkit.NSMenu.alloc().initWithTitle_("Steno")
        self._menu.setAutoenablesItems_(False)
        self._menu.setDelegate_(self._target)
        self._item.setMenu_(self._menu)
        self._shown: Sequence[Item] = ()
        self._light: Light | None = None

    def show(self, view: View, items: Sequence[Item]) -> None:
        """Draw what has changed: this is called for every partial."""
        if view.light != self._light:
            self._light = view.light
            self._draw_icon(view)
        if items != self._shown:
            self._shown = items
            self._menu.removeAllItems()
            for item in items:
                self._menu.addItem_(self._made(item))

    def close(self) -> None:
        """Take the icon away."""
        self._appkit.NSStatusBar.systemStatusBar().removeStatusItem_(self._item)

    def _draw_icon(self, view: View) -> None:
        appkit, button = self._appkit, self._item.button()
        image = appkit.NSImage.imageWithSystemSymbolName_accessibilityDescription_(
            SYMBOLS[view.light], view.headline
        )
        if image is not None:  # None for a symbol that this macOS lacks: the words are there all the same
            image.setTemplate_(True)
        button.setImage_(image)
        button.setImagePosition_(appkit.NSImageLeading)
        button.setTitle_(TITLES[view.light] or ("" if image is not None else "Steno"))
        colour = appkit.NSColor
        tints = {
            "on": colour.systemGreenColor,
            "wait": colour.systemOrangeColor,
            "red": colour.systemRedColor,
        }
        button.setContentTintColor_(tints[view.light]() if view.light in tints else None)

    def _made(self, item: Item) -> Any:
        appkit = self._appkit
        if not item.title:
            return appkit.NSMenuItem.separatorItem()
        made = appkit.NSMenuItem.alloc().initWithTitle_action_keyEquivalent_(item.title, "picked:", "")
        made.setTarget_(self._target)
        made.setRepresentedObject_(item.action)
        made.setEnabled_(bool(item.action))
        made.setState_(appkit.NSControlStateValueOn if item.is_checked else appkit.NSControlStateValueOff)
        return made
