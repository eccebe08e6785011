"""The clipboard: lent to a text that is pasted, and given its content back."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from client.dictation.errors import NotTyped
from client.dictation.macos.carbon import Carbon
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.keys import code_of
from client.dictation.macos.main_thread import on_main

_READ_S: Final = 0.5
"""How long an app has to take what was pasted, before the clipboard has its old content again."""
_V: Final = 9
"""Code of the key V on an American keyboard."""
_PASSING: Final = ("org.nspasteboard.TransientType", "org.nspasteboard.ConcealedType")
"""By these types programs that keep what was on the clipboard know what not to keep."""


class Clipboard:
    """NSPasteboard, on the main thread."""

    def __init__(
        self, mac: Frameworks, carbon: Carbon, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._mac = mac
        self._carbon = carbon
        self._sleep = sleep

    def put(self, text: str) -> None:
        """Put the text there for the user. Raises `NotTyped`."""
        on_main(self._mac, lambda: self._write(text, ()))

    @contextmanager
    def lent(self, text: str) -> Generator[int]:
        """With the text on the clipboard; gives the code of the key that pastes it with Command. Afterwards
        what was there before is back, unless somebody else has put something there."""
        before, mine, key = on_main(
            self._mac, lambda: (self._content(), self._write(text, _PASSING), self._key())
        )
        try:
            yield key
            self._sleep(_READ_S)
        finally:
            on_main(self._mac, lambda: self._restore(before, mine))

    def _write(self, text: str, kinds: tuple[str, ...]) -> int:
        """Returns the clipboard's count of changes."""
        appkit = self._mac.appkit
        board = appkit.NSPasteboard.generalPasteboard()
        board.clearContents()
        if not board.setString_forType_(text, appkit.NSPasteboardTypeString):
            raise NotTyped("the clipboard does not take the text")
        for kind in kinds:
            board.setString_forType_("", kind)
        return board.changeCount()

    def _content(self) -> list[Any]:
        """Copies of what is there: the items themselves are void once the clipboard is cleared."""
        appkit = self._mac.appkit
        copies: list[Any] = []
        for item in appkit.NSPasteboard.generalPasteboard().pasteboardItems() or ():
            copy = appkit.NSPasteboardItem.alloc().init()
            for kind in item.types():
                if (data := item.dataForType_(kind)) is not None:
                    copy.setData_forType_(data, kind)
            copies.append(copy)
        return copies

    def _restore(self, items: list[Any], mine: int) -> None:
        board = self._mac.appkit.NSPasteboard.generalPasteboard()
        if board.changeCount() == mine:
            board.clearContents()
            if items:
                board.writeObjects_(items)

    def _key(self) -> int:
        typed = self._carbon.layout(with_command=True)
        code = code_of("v", lambda code: typed.get(code, ""))
        return _V if code is None else code
