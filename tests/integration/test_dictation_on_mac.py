"""The whole of dictation on a Mac made of fakes, with the running service: a hot key, speech, text in the app
in front, another press, the last of it taken back from the menu, and nothing is left."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from client.dictation.app import App
from client.dictation.macos.desktop import desktop
from client.dictation.settings import Settings
from tests.support.pyobjc.mac import FakeMac
from tests.support.service import Service
from tests.support.speech import spoken

TALK = np.frombuffer(spoken(gap_s=1.0), "<i2") / 32768
WAIT_S_MAX = 40.0
D = 2
"""Code of the key."""


class User:
    """Does on a thread of its own what a user does: presses keys, speaks, looks."""

    def __init__(self, mac: FakeMac, app: App) -> None:
        self.mac = mac
        self.texts = app._machine.history  # pyright: ignore[reportPrivateUsage]
        self.hand = app._hand  # pyright: ignore[reportPrivateUsage]
        self.seen: dict[str, Any] = {}
        self.failure: BaseException | None = None

    def press(self) -> None:
        """The hot key, once."""
        self.mac.front.user_presses += 1
        for kind in (5, 6):
            self.mac.queue.put(lambda kind=kind: self.mac.c.press(D, kind))

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait for it, and speak or be silent meanwhile as a microphone would have it."""
        ends = time.monotonic() + WAIT_S_MAX
        while not is_so():
            assert time.monotonic() < ends
            if self.mac.microphone.is_running:
                self.mac.microphone.speak(np.zeros(320), at_once=320)
            time.sleep(0.02)

    def dictate(self) -> None:
        """Start, speak, wait for the text, end."""
        mac = self.mac
        self.until(lambda: mac.c.registered)
        self.seen["before"] = mac.microphone.is_running
        self.press()
        self.until(lambda: mac.microphone.is_running)
        mac.microphone.speak(TALK, at_once=1600)
        self.until(lambda: len(self.texts) >= 2)
        [item] = mac.runtime.behaviours["NSStatusBar"].items
        self.seen["title"] = item.state.button.state.title
        self.press()
        self.until(lambda: not mac.microphone.is_running)
        self.until(lambda: item.state.button.state.title == "")
        self.seen["text"] = mac.front.text
        self.take_back(item.state.menu)

    def take_back(self, menu: Any) -> None:
        """Click on the icon, then on a line of its menu."""
        front = self.mac.front
        [line] = [line for line in menu.state.items if "Undo" in line.state.title]
        front.user_presses += 1
        self.mac.queue.put(lambda: menu.state.delegate.menuWillOpen_(menu))
        self.until(lambda: self.hand._is_menu_open)  # pyright: ignore[reportPrivateUsage]
        front.user_presses += 1
        self.mac.queue.put(lambda: line.state.target.picked_(line))
        self.until(lambda: front.text == " ".join(list(self.texts)[:0:-1]))

    def run(self) -> None:
        """All of it, then quit."""
        try:
            self.dictate()
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            self.failure = error
        self.mac.queue.put(lambda: self.mac.signals[2](2))


@pytest.mark.parametrize("transport", ["websockets", "urlsession"])
def test_what_is_said_on_a_mac_is_typed_there(
    service: Service, tmp_path: Path, transport: Literal["websockets", "urlsession"]
) -> None:
    mac = FakeMac()
    mac.microphone.rate, mac.microphone.channels = 16_000.0, 1
    settings = Settings(url=service.url, transport=transport)
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    app = App(settings, desktop(settings, mac=mac, carbon=mac.carbon), place)
    user = User(mac, app)
    thread = threading.Thread(target=user.run, name="user")
    thread.start()
    app.run()
    thread.join()
    if user.failure is not None:
        raise user.failure
    said = " ".join(reversed(list(user.texts)))
    assert user.seen == {"before": False, "title": "Dictation ON", "text": said}
    assert mac.runtime.behaviours["NSSound"].played == ["Tink", "Pop"]
    assert (mac.c.registered, mac.microphone.tap, mac.c.sources) == ({}, None, 0)
    assert mac.runtime.behaviours["NSProcessInfo"].activities == []
