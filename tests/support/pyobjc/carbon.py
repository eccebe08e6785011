"""Carbon's C functions, called as C would be: by way of ctypes, with the types that our code declares."""

import ctypes as c
from collections.abc import Callable
from typing import Any, Final

from client.dictation.macos.carbon import DIRECT_OBJECT, HOT_KEY_ID, KEYBOARD, EventHotKeyID

US: Final = {0: "a", 1: "s", 2: "d", 9: "v", 11: "b"}
_TAKEN: Final = -9878
"""`eventHotKeyExistsErr`."""


class _Function:
    """A C function. What our code declares of it is used for the call."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self._body = body
        self.restype: Any = c.c_int
        self.argtypes: list[Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        assert self.argtypes is not None, "a C function is called without its types"
        return c.CFUNCTYPE(self.restype, *self.argtypes)(self._body)(*arguments)


class FakeCarbon:
    """The library. Tests press hot keys, and change the layout."""

    def __init__(self) -> None:
        self.is_secure = False
        self.taken: set[tuple[int, int]] = set()
        """Keys of other programs: code and modifiers."""
        self.registered: dict[int, tuple[int, int, int]] = {}
        """By reference: code, modifiers, id."""
        self.layout = dict(US)
        self.command_layout = dict(US)
        self.handler: Any = None
        self.sources = 0
        """Layouts that were copied and not released."""
        self._event = (0, 0)
        self._functions: dict[str, _Function] = {}

    def __getattr__(self, name: str) -> _Function:
        if name.startswith("_"):
            raise AttributeError(name)
        body = getattr(type(self), f"_{name}")
        return self._functions.setdefault(name, _Function(lambda *args: body(self, *args)))

    @staticmethod
    def constant(_library: Any, name: str) -> Any:
        """A constant of the library."""
        assert name == "kTISPropertyUnicodeKeyLayoutData"
        return c.c_void_p(77)

    def press(self, code: int, kind: int) -> None:
        """A key goes down (5) or up (6)."""
        for key, _modifiers, number in list(self.registered.values()):
            if key == code and self.handler is not None:
                self._event = (number, kind)
                assert self.handler(None, c.c_void_p(5), None) == 0

    def _IsSecureEventInputEnabled(self) -> int:
        return int(self.is_secure)

    def _GetEventDispatcherTarget(self) -> int:
        return 42

    def _InstallEventHandler(
        self, target: int, handler: Any, count: int, kinds: Any, _data: Any, out: Any
    ) -> int:
        assert target == 42
        assert [(kinds[n].eventClass, kinds[n].eventKind) for n in range(count)] == [
            (KEYBOARD, 5),
            (KEYBOARD, 6),
        ]
        self.handler = handler
        out[0] = 1000
        return 0

    def _RemoveEventHandler(self, reference: int) -> int:
        assert reference == 1000
        self.handler = None
        return 0

    def _RegisterEventHotKey(
        self, code: int, modifiers: int, name: EventHotKeyID, target: int, options: int, out: Any
    ) -> int:
        assert target == 42
        assert options == 1, "a key of another program would be shared with it"
        if (code, modifiers) in self.taken:
            return _TAKEN
        reference = 2000 + len(self.registered)
        self.registered[reference] = (code, modifiers, name.id)
        out[0] = reference
        return 0

    def _UnregisterEventHotKey(self, reference: int) -> int:
        del self.registered[reference]
        return 0

    def _GetEventKind(self, event: int) -> int:
        assert event == 5
        return self._event[1]

    def _GetEventParameter(
        self, event: int, name: int, kind: int, _actual: Any, size: int, _actual_size: Any, out: int
    ) -> int:
        assert (event, name, kind, size) == (5, DIRECT_OBJECT, HOT_KEY_ID, 8)
        EventHotKeyID.from_address(out).id = self._event[0]
        return 0

    def _TISCopyCurrentASCIICapableKeyboardLayoutInputSource(self) -> int:
        self.sources += 1
        return 300

    def _TISGetInputSourceProperty(self, source: int, name: int) -> int:
        assert (source, name) == (300, 77)
        return 301

    def _CFDataGetBytePtr(self, data: int) -> int:
        assert data == 301
        return 302

    def _CFRelease(self, reference: int) -> None:
        assert reference == 300
        self.sources -= 1

    def _LMGetKbdType(self) -> int:
        return 40

    def _UCKeyTranslate(
        self,
        table: int,
        code: int,
        action: int,
        modifiers: int,
        _keyboard: int,
        options: int,
        _dead: Any,
        room: int,
        length: Any,
        units: Any,
    ) -> int:
        assert (table, action, options, room) == (302, 0, 1, 4)
        typed = (self.command_layout if modifiers == 1 else self.layout).get(code, "")
        length[0] = len(typed)
        for place, character in enumerate(typed):
            units[place] = ord(character)
        return 0
