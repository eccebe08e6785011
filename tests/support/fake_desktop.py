"""A desktop in memory: five ports that a test looks into, and that fail when they are told to."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from client.dictation.app import App, Desktop
from client.dictation.core.chords import Chord
from client.dictation.core.target import Newline, Target
from client.dictation.core.view import Cue, View
from client.dictation.ports import FRAME_BYTES, Need, Permission, Wish
from client.dictation.settings import Settings

WAIT_S_MAX = 60.0


class FakeDesktop:
    """All five ports. The microphone gives `speech` at once, then silence at its own speed."""

    def __init__(self, speech: bytes = b"") -> None:
        self.speech = speech
        self.typed = ""
        self.clipboard = ""
        self.target_now = Target("editor", "1")
        self.presses = 0
        """Of the user: keys and mouse buttons."""
        self.is_open = False
        self.permission: Permission = "granted"
        self.no_microphone: Exception | None = None
        self.not_typed: Exception | None = None
        self.views: list[View] = []
        self.cues: list[Cue] = []
        self.wish: Callable[[Wish], None] = lambda _wish: None
        self.press_icon: Callable[[], None] = lambda: None
        self.on_key: Callable[[str, bool], None] = lambda _name, _is_down: None
        self.on_loss: Callable[[str], None] = lambda _reason: None
        self.has_spoken = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def ports(self) -> Desktop:
        """As an app wants them."""
        return Desktop(
            capture=FakeCapture(self),
            typer=FakeTyper(self),
            hotkey=FakeHotkey(self),
            permissions=FakePermissions(self),
            shell=FakeShell(self),
        )

    def record(self, on_audio: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        """Begin to give audio."""
        if self.no_microphone is not None:
            raise self.no_microphone
        self.is_open, self.on_loss = True, on_loss
        self._stopped = stopped = threading.Event()
        speech = [self.speech[at : at + FRAME_BYTES] for at in range(0, len(self.speech), FRAME_BYTES)]

        def give() -> None:
            for frame in speech:
                on_audio(frame.ljust(FRAME_BYTES, b"\0"))
            self.has_spoken.set()
            while not stopped.wait(0.02):
                on_audio(b"\1\0\xff\xff" * (FRAME_BYTES // 4))

        self._thread = threading.Thread(target=give)
        self._thread.start()

    def stop_recording(self) -> None:
        """End it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.is_open = False

    def write(self, text: str) -> None:
        """What a typer does."""
        if self.not_typed is not None:
            raise self.not_typed
        self.typed += text

    @property
    def view(self) -> View:
        """What is shown."""
        return self.views[-1] if self.views else View()

    def wait_until(self, is_true: Callable[[View], object]) -> View:
        """Wait until such a thing is shown."""
        deadline = time.monotonic() + WAIT_S_MAX
        while not is_true(self.view):
            assert time.monotonic() < deadline, f"never; at last {self.view.state} {self.view.notice}"
            time.sleep(0.01)
        return self.view


class FakeCapture:
    """The port `Capture`."""

    def __init__(self, desktop: FakeDesktop) -> None:
        self._desktop = desktop

    def start(self, on_audio: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        """See `Capture`."""
        self._desktop.record(on_audio, on_loss)

    def stop(self) -> None:
        """See `Capture`."""
        self._desktop.stop_recording()


class FakeTyper:
    """The port `Typer`."""

    def __init__(self, desktop: FakeDesktop) -> None:
        self._desktop = desktop

    def target(self) -> Target:
        """See `Typer`."""
        return self._desktop.target_now

    def type(self, text: str, newline: Newline) -> None:
        """See `Typer`."""
        self._desktop.write(text)

    def paste(self, text: str) -> None:
        """See `Typer`."""
        self._desktop.write(text)

    def erase(self, count: int) -> None:
        """See `Typer`."""
        self._desktop.typed = self._desktop.typed[:-count]

    def presses(self) -> int:
        """See `Typer`."""
        return self._desktop.presses

    def copy(self, text: str) -> None:
        """See `Typer`."""
        self._desktop.clipboard = text

    def close(self) -> None:
        """See `Typer`."""


class FakeHotkey:
    """The port `Hotkey`."""

    def __init__(self, desktop: FakeDesktop) -> None:
        self._desktop = desktop

    def start(self, chords: Mapping[str, Chord], on_key: Callable[[str, bool], None]) -> None:
        """See `Hotkey`."""
        self._desktop.on_key = on_key

    def stop(self) -> None:
        """See `Hotkey`."""


class FakePermissions:
    """The port `Permissions`."""

    def __init__(self, desktop: FakeDesktop) -> None:
        self._desktop = desktop

    def state(self, need: Need) -> Permission:
        """See `Permissions`."""
        return self._desktop.permission

    def request(self, need: Need) -> None:
        """See `Permissions`."""

    def advice(self, need: Need) -> str:
        """See `Permissions`."""
        return f"Allow the {need}."


class FakeShell:
    """The port `Shell`."""

    def __init__(self, desktop: FakeDesktop) -> None:
        self._desktop = desktop

    def run(
        self, work: Callable[[], None], on_wish: Callable[[Wish], None], on_press: Callable[[], None]
    ) -> None:
        """See `Shell`."""
        self._desktop.wish, self._desktop.press_icon = on_wish, on_press
        work()

    def show(self, view: View) -> None:
        """See `Shell`."""
        self._desktop.views.append(view)

    def cue(self, cue: Cue) -> None:
        """See `Shell`."""
        self._desktop.cues.append(cue)


class Running:
    """An app on a thread of its own, until the block is left."""

    def __init__(self, desktop: FakeDesktop, settings: Settings, place: Path) -> None:
        self._desktop = desktop
        self.app = App(settings, desktop.ports(), place)
        self._thread = threading.Thread(target=self.app.run)

    def __enter__(self) -> FakeDesktop:
        self._thread.start()
        self._desktop.wait_until(lambda _view: self._desktop.views)
        return self._desktop

    def __exit__(self, *_: object) -> None:
        self._desktop.wish("quit")
        self._thread.join(WAIT_S_MAX)
        assert not self._thread.is_alive()
        assert not self._desktop.is_open
