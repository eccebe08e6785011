"""A Mac made of fakes: an app in front that takes keys, a microphone, a clipboard, permissions, a main
loop."""

import contextlib
import inspect
import queue
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final, cast

from client.dictation.core.graphemes import clusters
from client.dictation.macos.carbon import Carbon
from client.dictation.macos.frameworks import Frameworks
from tests.support.pyobjc import metadata
from tests.support.pyobjc.audio import audio_behaviours
from tests.support.pyobjc.carbon import FakeCarbon
from tests.support.pyobjc.cocoa import desktop_behaviours
from tests.support.pyobjc.network import network_behaviours
from tests.support.pyobjc.runtime import Runtime

EVENT_UNITS_MAX: Final = 20
"""What macOS takes of an event's text."""


class FakeMac(Frameworks):
    """`Frameworks` of a machine that is not there. Skips the test where the wheels were not unpacked."""

    def __init__(self) -> None:
        metadata.need_wheels()
        self.runtime = Runtime()
        self.queue: queue.Queue[Callable[[], None]] = queue.Queue()
        self.signals: dict[int, Callable[[int], None]] = {}
        self.front = FrontApp(self)
        self.c = FakeCarbon()
        self.carbon = Carbon(self.c, self.c.constant)
        self.is_trusted = True
        self.trust_prompts = 0
        self.opened: list[str] = []
        self.runtime.behaviours |= audio_behaviours(self.runtime) | desktop_behaviours(self)
        self.runtime.behaviours |= self.front.behaviours() | network_behaviours(self)
        self.microphone = self.runtime.behaviours["AVAudioEngine"].microphone

    def load(self, name: str) -> Any:
        """The module called that, as a fake."""
        if name == "objc":
            return SimpleNamespace(autorelease_pool=contextlib.nullcontext, NULL=None)
        if name == "PyObjCTools.AppHelper":
            return SimpleNamespace(callAfter=self._call_after)
        if name == "PyObjCTools.MachSignals":
            return SimpleNamespace(signal=self.signals.__setitem__)
        return self.runtime.framework(name)

    def _call_after(self, function: Callable[..., None], *arguments: Any) -> None:
        inspect.signature(function).bind(*arguments)
        self.queue.put(lambda: function(*arguments))

    def drain(self) -> None:
        """Do on the main thread what is due there."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.queue.get_nowait()()

    @contextlib.contextmanager
    def serving(self, thread: threading.Thread) -> Iterator[None]:
        """Start a thread and be the main loop until it ends."""
        thread.start()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self.queue.get(timeout=0.01)()
        thread.join()
        self.drain()
        yield


class FrontApp:
    """What is in front: takes keyboard events as an app of macOS would."""

    def __init__(self, mac: FakeMac) -> None:
        self._mac = mac
        self.bundle: str | None = "com.example.Editor"
        self.pid = 4711
        self.window = 88
        self.subrole = "AXTextArea"
        self.text = ""
        self.events: list[Any] = []
        """All that were posted, lost ones as well."""
        self.held = 0
        """Flags of modifiers that the user holds."""
        self.user_presses = 0
        self.on_event: Callable[[], None] = lambda: None

    def behaviours(self) -> dict[str, Any]:
        """The functions of Quartz and of Accessibility."""
        quartz = self._mac.runtime.framework("Quartz")
        ax = self._mac.runtime.framework("ApplicationServices")

        def keyboard_event(source: Any, key: int, is_down: bool) -> Any:
            assert source.kind == "CGEventSource"
            return CF("CGEvent", key=key, is_down=is_down, text=None, flags=self.held, fields={})

        def attribute(element: Any, name: str, _out: None) -> tuple[int, Any]:
            if name == ax.kAXFocusedUIElementAttribute:
                return 0, CF("AXUIElement", is_focus=True)
            if name == ax.kAXSubroleAttribute and getattr(element, "is_focus", False):
                return 0, self.subrole
            return -25205, None  # kAXErrorAttributeUnsupported

        def prompt(options: dict[str, bool]) -> bool:
            assert set(options) == {"kAXTrustedCheckOptionPrompt"}
            self._mac.trust_prompts += 1
            return self._mac.is_trusted

        return {
            "CGEventSourceCreate": lambda state: CF("CGEventSource", state=state),
            "CGEventCreateKeyboardEvent": keyboard_event,
            "CGEventKeyboardSetUnicodeString": lambda event, _units, text: setattr(event, "text", text),
            "CGEventSetFlags": lambda event, flags: setattr(event, "flags", flags),
            "CGEventSetIntegerValueField": lambda event, key, value: event.fields.__setitem__(key, value),
            "CGEventPost": self._post,
            "CGEventSourceFlagsState": lambda _state: self.held,
            "CGEventSourceCounterForEventType": lambda _state, kind: (
                self.user_presses if kind == quartz.kCGEventKeyDown else 0
            ),
            "CGWindowListCopyWindowInfo": self._windows,
            "AXIsProcessTrusted": lambda: self._mac.is_trusted,
            "AXIsProcessTrustedWithOptions": prompt,
            "AXUIElementCreateApplication": lambda pid: CF("AXUIElement", pid=pid),
            "AXUIElementSetMessagingTimeout": lambda _element, _s: 0,
            "AXUIElementCopyAttributeValue": attribute,
        }

    def _windows(self, which: int, _relative: int) -> list[dict[str, Any]]:
        quartz = self._mac.runtime.framework("Quartz")
        assert which == 17
        number, owner, layer = quartz.kCGWindowNumber, quartz.kCGWindowOwnerPID, quartz.kCGWindowLayer
        return [
            {number: 1, owner: self.pid, layer: 25},
            {number: self.window, owner: self.pid, layer: 0},
            {number: self.window + 1, owner: self.pid, layer: 0},
        ]

    def _post(self, place: int, event: Any) -> None:
        self.events.append(event)
        self.on_event()
        if not self._mac.is_trusted or self._mac.c.is_secure or not event.is_down:
            return
        quartz = self._mac.runtime.framework("Quartz")
        if event.flags & quartz.kCGEventFlagMaskCommand:
            if self._mac.c.command_layout.get(event.key) == "v":
                self.text += self._mac.runtime.behaviours["NSPasteboard"].board.text()
        elif event.text is not None:
            units = cast(str, event.text).encode("utf-16-le", "surrogatepass")[: 2 * EVENT_UNITS_MAX]
            self.text += units.decode("utf-16-le", "replace")
        elif event.key == 51:
            self.text = "".join(clusters(self.text)[:-1])
        else:
            self.text += {36: "\n", 48: "\t"}[event.key]


class CF:
    """An object of Core Foundation."""

    is_fake = True

    def __init__(self, kind: str, **state: Any) -> None:
        self.kind = kind
        self.__dict__.update(state)
