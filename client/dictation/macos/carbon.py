"""What only Carbon has: hot keys that need no permission, whether a password field has the keyboard, and
which key types what. Its functions are plain C, declared here as in Apple's headers."""

import ctypes as c
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from client.dictation.macos.keys import CODES
from client.errors import NotInstalled

_PATH: Final = "/System/Library/Frameworks/Carbon.framework/Carbon"

PRESSED: Final = 5
RELEASED: Final = 6
"""`kEventHotKeyPressed`, `kEventHotKeyReleased`."""
EXCLUSIVE: Final = 1
"""`kEventHotKeyExclusive`: refuse keys that another program has."""
_DOWN: Final = 0
"""`kUCKeyActionDown`."""
_NO_DEAD_KEYS: Final = 1
"""`kUCKeyTranslateNoDeadKeysMask`: a dead key types what stands on it."""
_COMMAND: Final = 1
"""`cmdKey` as `UCKeyTranslate` wants it: the high byte."""


def four(code: str) -> int:
    """The number that Apple writes as four characters."""
    return int.from_bytes(code.encode(), "big")


KEYBOARD: Final = four("keyb")
DIRECT_OBJECT: Final = four("----")
HOT_KEY_ID: Final = four("hkid")


class EventTypeSpec(c.Structure):
    """Which events a handler is for."""

    _fields_ = (("eventClass", c.c_uint32), ("eventKind", c.c_uint32))


class EventHotKeyID(c.Structure):
    """What a hot key is called: a number of the program, one of the key."""

    _fields_ = (("signature", c.c_uint32), ("id", c.c_uint32))


_P: Final = c.c_void_p
_OUT: Final = c.POINTER(c.c_void_p)
HANDLER: Final = c.CFUNCTYPE(c.c_int32, _P, _P, _P)
"""A handler: (next handler, event, user's data) → status."""

SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "GetEventDispatcherTarget": (_P, ()),
    "InstallEventHandler": (c.c_int32, (_P, HANDLER, c.c_ulong, c.POINTER(EventTypeSpec), _P, _OUT)),
    "RemoveEventHandler": (c.c_int32, (_P,)),
    "RegisterEventHotKey": (c.c_int32, (c.c_uint32, c.c_uint32, EventHotKeyID, _P, c.c_uint32, _OUT)),
    "UnregisterEventHotKey": (c.c_int32, (_P,)),
    "GetEventKind": (c.c_uint32, (_P,)),
    "GetEventParameter": (
        c.c_int32,
        (_P, c.c_uint32, c.c_uint32, c.POINTER(c.c_uint32), c.c_ulong, c.POINTER(c.c_ulong), _P),
    ),
    "IsSecureEventInputEnabled": (c.c_ubyte, ()),
    "TISCopyCurrentASCIICapableKeyboardLayoutInputSource": (_P, ()),
    "TISGetInputSourceProperty": (_P, (_P, _P)),
    "CFDataGetBytePtr": (_P, (_P,)),
    "CFRelease": (None, (_P,)),
    "LMGetKbdType": (c.c_ubyte, ()),
    "UCKeyTranslate": (
        c.c_int32,
        (
            _P,
            c.c_uint16,
            c.c_uint16,
            c.c_uint32,
            c.c_uint32,
            c.c_uint32,
            c.POINTER(c.c_uint32),
            c.c_ulong,
            c.POINTER(c.c_ulong),
            c.POINTER(c.c_uint16),
        ),
    ),
}
"""Result and arguments of each function."""


class Carbon:
    """The functions, as Python's. All but `is_secure_input` belong on the main thread, where the system
    itself insists on that."""

    def __init__(self, library: Any = None, constant: Callable[[Any, str], Any] = _P.in_dll) -> None:
        """Both are for tests; by default the system's library is loaded when it is first needed, and its
        constants are looked up in it."""
        self._given = library
        self._constant = constant

    @cached_property
    def _library(self) -> Any:
        try:
            library = self._given or c.CDLL(_PATH)
        except OSError:
            raise NotInstalled("Carbon is only there on macOS") from None
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, list(arguments)
        return library

    def is_secure_input(self) -> bool:
        """Whether keys are kept from other programs: a password field has the focus, or a program asked for
        it. Typed text would go nowhere, or into the password."""
        return bool(self._library.IsSecureEventInputEnabled())

    def listen(self, on_event: Callable[[int, int], None]) -> Callable[[], None]:
        """Have `on_event(hot key's id, PRESSED or RELEASED)` called. Returns what ends it."""
        library = self._library

        def handle(_next: int, event: int, _data: int) -> int:
            key = EventHotKeyID()
            size = c.sizeof(key)
            library.GetEventParameter(event, DIRECT_OBJECT, HOT_KEY_ID, None, size, None, c.addressof(key))
            on_event(key.id, library.GetEventKind(event))
            return 0

        kept = HANDLER(handle)  # as long as Carbon may call it
        kinds = (EventTypeSpec * 2)(EventTypeSpec(KEYBOARD, PRESSED), EventTypeSpec(KEYBOARD, RELEASED))
        reference = _P()
        library.InstallEventHandler(
            library.GetEventDispatcherTarget(), kept, len(kinds), kinds, None, c.byref(reference)
        )

        def end(_kept: Any = kept) -> None:
            library.RemoveEventHandler(reference)

        return end

    def register(self, code: int, modifiers: int, number: int) -> Callable[[], None] | None:
        """Take a key, under a number. Returns what gives it back; None when it can't be had."""
        library = self._library
        reference = _P()
        status = library.RegisterEventHotKey(
            code,
            modifiers,
            EventHotKeyID(four("Sten"), number),
            library.GetEventDispatcherTarget(),
            EXCLUSIVE,
            c.byref(reference),
        )
        return None if status else lambda: library.UnregisterEventHotKey(reference)

    def layout(self, *, with_command: bool = False) -> dict[int, str]:
        """What each key types in the Latin layout that the user has chosen last, without modifiers or with
        Command; keys that type nothing are left out."""
        library = self._library
        source = library.TISCopyCurrentASCIICapableKeyboardLayoutInputSource()
        if not source:
            return {}
        try:
            name = self._constant(library, "kTISPropertyUnicodeKeyLayoutData")
            data = library.TISGetInputSourceProperty(source, name)
            table = library.CFDataGetBytePtr(data) if data else None
            if not table:
                return {}
            return {code: typed for code in CODES if (typed := self._typed(table, code, with_command))}
        finally:
            library.CFRelease(source)

    def _typed(self, table: int, code: int, with_command: bool) -> str:
        state, length, units = c.c_uint32(), c.c_ulong(), (c.c_uint16 * 4)()
        library = self._library
        modifiers = _COMMAND if with_command else 0
        status = library.UCKeyTranslate(
            table,
            code,
            _DOWN,
            modifiers,
            library.LMGetKbdType(),
            _NO_DEAD_KEYS,
            c.byref(state),
            len(units),
            c.byref(length),
            units,
        )
        return "" if status else bytes(units)[: 2 * length.value].decode("utf-16-le", "replace")
