"""What AppKit, Foundation and ServiceManagement do, as far as our code depends on it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.pyobjc.mac import FakeMac


class Board:
    """The clipboard."""

    def __init__(self) -> None:
        self.count = 7
        self.items: list[dict[str, Any]] = []
        self.can_write = True

    def text(self) -> str:
        """What a paste inserts."""
        return "".join(item.get("NSPasteboardTypeString", "") for item in self.items)


def desktop_behaviours(mac: "FakeMac") -> dict[str, Any]:
    """By class."""
    return _windows(mac) | _clipboard(mac) | _system(mac)


def _windows(mac: "FakeMac") -> dict[str, Any]:
    runtime = mac.runtime

    class Application:
        the_app = runtime.make("NSApplication", is_stopped=False)

        def sharedApplication(cls: Any) -> Any:
            return Application.the_app

        def setActivationPolicy_(self: Any, policy: int) -> bool:
            self.state.policy = policy
            return True

        def run(self: Any) -> None:
            """Until told to stop, and an event has come after that."""
            self.state.has_event = False
            while not (self.state.is_stopped and self.state.has_event):
                mac.queue.get(timeout=20)()

        def stop_(self: Any, _sender: Any) -> None:
            self.state.is_stopped = True

        def postEvent_atStart_(self: Any, _event: Any, _at_start: bool) -> None:
            self.state.has_event = True

    class Event:
        def otherEventWithType_location_modifierFlags_timestamp_windowNumber_context_subtype_data1_data2_(
            cls: Any, *_about: Any
        ) -> Any:
            return runtime.make("NSEvent")

    class StatusBar:
        items: list[Any] = []

        def systemStatusBar(cls: Any) -> Any:
            return runtime.make("NSStatusBar")

        def statusItemWithLength_(self: Any, length: float) -> Any:
            item = runtime.make("NSStatusItem", button=runtime.make("NSStatusBarButton"), length=length)
            StatusBar.items = [*StatusBar.items, item]
            return item

        def removeStatusItem_(self: Any, item: Any) -> None:
            StatusBar.items = [other for other in StatusBar.items if other is not item]

    class Menu:
        def initWithTitle_(self: Any, _title: str) -> Any:
            self.state.items = []
            return self

        def addItem_(self: Any, item: Any) -> None:
            self.state.items.append(item)

        def removeAllItems(self: Any) -> None:
            self.state.items.clear()

    class MenuItem:
        def separatorItem(cls: Any) -> Any:
            return runtime.make("NSMenuItem", title="", enabled=False)

        def initWithTitle_action_keyEquivalent_(self: Any, title: str, action: str, _key: str) -> Any:
            self.state.title, self.state.action = title, action
            return self

    class Image:
        def imageWithSystemSymbolName_accessibilityDescription_(cls: Any, name: str, text: str) -> Any:
            return runtime.make("NSImage", name=name, text=text)

    class Window:
        def orderFrontRegardless(self: Any) -> None:
            self.state.is_visible = True

        def orderOut_(self: Any, _sender: Any) -> None:
            self.state.is_visible = False

    class TextField:
        def labelWithString_(cls: Any, text: str) -> Any:
            return runtime.make("NSTextField", stringvalue=text)

    class View:
        def addSubview_(self: Any, view: Any) -> None:
            self.state.__dict__.setdefault("views", []).append(view)

    class Screen:
        def mainScreen(cls: Any) -> Any:
            return runtime.make("NSScreen", visibleframe=((0.0, 70.0), (1440.0, 805.0)))

    class Colour:
        pass

    for name in ("clear", "label", "secondaryLabel", "systemGreen", "systemOrange", "systemRed"):
        setattr(Colour, f"{name}Color", lambda cls, name=name: runtime.make("NSColor", name=name))

    class Font:
        def systemFontOfSize_(cls: Any, size: float) -> Any:
            return runtime.make("NSFont", size=size)

        boldSystemFontOfSize_ = systemFontOfSize_

    return {
        "NSApplication": Application,
        "NSEvent": Event,
        "NSStatusBar": StatusBar,
        "NSMenu": Menu,
        "NSMenuItem": MenuItem,
        "NSImage": Image,
        "NSWindow": Window,
        "NSTextField": TextField,
        "NSView": View,
        "NSScreen": Screen,
        "NSColor": Colour,
        "NSFont": Font,
    }


def _clipboard(mac: "FakeMac") -> dict[str, Any]:
    runtime = mac.runtime

    class Pasteboard:
        board = Board()

        def generalPasteboard(cls: Any) -> Any:
            return runtime.make("NSPasteboard")

        def clearContents(self: Any) -> int:
            Pasteboard.board.items = []
            Pasteboard.board.count += 1
            return Pasteboard.board.count

        def setString_forType_(self: Any, text: str, kind: str) -> bool:
            board = Pasteboard.board
            if board.can_write:
                board.items = [{**(board.items[0] if board.items else {}), kind: text}]
            return board.can_write

        def changeCount(self: Any) -> int:
            return Pasteboard.board.count

        def pasteboardItems(self: Any) -> list[Any]:
            items = Pasteboard.board.items
            return [runtime.make("NSPasteboardItem", data=item, board=items) for item in items]

        def writeObjects_(self: Any, items: list[Any]) -> bool:
            assert all(item.state.board is None for item in items), "an item belongs to one clipboard"
            Pasteboard.board.items = [dict(item.state.data) for item in items]
            return True

    class PasteboardItem:
        def init(self: Any) -> Any:
            self.state.data, self.state.board = {}, None
            return self

        def types(self: Any) -> list[str]:
            return list(self.state.data)

        def dataForType_(self: Any, kind: str) -> Any:
            return self.state.data[kind] if self.state.board is Pasteboard.board.items else None

        def setData_forType_(self: Any, data: Any, kind: str) -> bool:
            self.state.data[kind] = data
            return True

    return {"NSPasteboard": Pasteboard, "NSPasteboardItem": PasteboardItem}


def _system(mac: "FakeMac") -> dict[str, Any]:
    runtime = mac.runtime

    class Workspace:
        def sharedWorkspace(cls: Any) -> Any:
            return runtime.make("NSWorkspace")

        def frontmostApplication(self: Any) -> Any:
            front = mac.front
            return runtime.make(
                "NSRunningApplication",
                bundleidentifier=front.bundle,
                localizedname="Editor",
                processidentifier=front.pid,
            )

        def openURL_(self: Any, url: Any) -> bool:
            mac.opened.append(url.state.text)
            return True

    class Url:
        def URLWithString_(cls: Any, text: str) -> Any:
            return runtime.make("NSURL", text=text)

    class Bundle:
        identifier: str | None = None

        def mainBundle(cls: Any) -> Any:
            return runtime.make("NSBundle", bundleidentifier=Bundle.identifier)

    class Timer:
        running: list[Any] = []

        def scheduledTimerWithTimeInterval_repeats_block_(
            cls: Any, interval_s: float, _repeats: bool, block: Any
        ) -> Any:
            timer = runtime.make("NSTimer", interval_s=interval_s, block=block)
            Timer.running = [*Timer.running, timer]
            return timer

        def invalidate(self: Any) -> None:
            Timer.running = [timer for timer in Timer.running if timer is not self]

    class ProcessInfo:
        activities: list[Any] = []

        def processInfo(cls: Any) -> Any:
            return runtime.make("NSProcessInfo")

        def beginActivityWithOptions_reason_(self: Any, _options: int, reason: str) -> Any:
            ProcessInfo.activities = [*ProcessInfo.activities, reason]
            return runtime.make("NSObject", reason=reason)

        def endActivity_(self: Any, activity: Any) -> None:
            ProcessInfo.activities = [one for one in ProcessInfo.activities if one != activity.state.reason]

    class Sound:
        played: list[str] = []

        def soundNamed_(cls: Any, name: str) -> Any:
            return runtime.make("NSSound", name=name)

        def play(self: Any) -> bool:
            Sound.played = [*Sound.played, self.state.name]
            return True

        def stop(self: Any) -> bool:
            return False

    class Center:
        def defaultCenter(cls: Any) -> Any:
            return runtime.make("NSNotificationCenter")

        def addObserverForName_object_queue_usingBlock_(
            self: Any, name: str, _object: Any, _queue: Any, block: Any
        ) -> Any:
            assert name == "AVAudioEngineConfigurationChangeNotification"
            mac.microphone.on_change = block
            return runtime.make("NSObject")

        def removeObserver_(self: Any, _observer: Any) -> None:
            mac.microphone.on_change = None

    class AppService:
        state_now = 0

        def mainAppService(cls: Any) -> Any:
            return runtime.make("SMAppService")

        def status(self: Any) -> int:
            return AppService.state_now

        def registerAndReturnError_(self: Any, _error: None) -> tuple[bool, Any]:
            AppService.state_now = 1
            return True, None

        def unregisterAndReturnError_(self: Any, _error: None) -> tuple[bool, Any]:
            AppService.state_now = 0
            return True, None

    return {
        "NSWorkspace": Workspace,
        "NSURL": Url,
        "NSBundle": Bundle,
        "NSTimer": Timer,
        "NSProcessInfo": ProcessInfo,
        "NSSound": Sound,
        "NSNotificationCenter": Center,
        "SMAppService": AppService,
    }
