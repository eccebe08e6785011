"""`steno dictate selftest` on a Mac that is well, and on ones that are not; and the contract of the harness
itself."""

import threading
from functools import partial
from typing import Any

import numpy as np
import pytest

from client.dictation import selftest
from client.dictation.core.chords import parse_chord
from client.dictation.macos.desktop import desktop
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.page import MacPage
from client.dictation.selftest import Finding
from client.dictation.settings import Settings
from client.errors import NotInstalled
from tests.support.pyobjc.mac import FakeMac

SETTINGS = Settings(url="ws://127.0.0.1:1", api_key_file="", language="en")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, mac: FakeMac) -> None:
    """Nobody waits, and somebody speaks: the microphone's thread is the test's own."""
    monkeypatch.setattr(selftest, "LISTEN_S", 0.2)

    class View:
        def string(self: Any) -> str:
            return mac.front.text

    mac.runtime.behaviours["NSText"] = View
    window = mac.runtime.behaviours["NSWindow"]
    window.makeFirstResponder_ = lambda _self, _view: True
    mac.front.text = ""
    mac.runtime.behaviours["NSApplication"].activateIgnoringOtherApps_ = lambda _self, _flag: None
    start = mac.runtime.behaviours["AVAudioEngine"].startAndReturnError_

    def speaking(engine: Any, error: None) -> Any:
        result = start(engine, error)
        noise = 0.1 * np.random.default_rng(1).standard_normal(9600)
        threading.Thread(target=mac.microphone.speak, args=(noise, 480)).start()
        return result

    mac.runtime.behaviours["AVAudioEngine"].startAndReturnError_ = speaking


def findings(mac: FakeMac, *names: str) -> list[Finding]:
    """Of these checks."""
    ports = desktop(SETTINGS, plain=True, mac=mac, carbon=mac.carbon)
    checks = {
        "permissions": lambda: selftest.permissions(ports.permissions),
        "microphone": lambda: selftest.microphone(ports.capture),
        "hotkeys": lambda: selftest.hotkeys(ports.hotkey, ports.typer, {"toggle": parse_chord("f6")}, None),
        "typing": lambda: selftest.typing(ports.typer, ports.page),
    }
    return list(selftest.run({name: checks[name] for name in names}))


def test_a_mac_that_is_well(mac: FakeMac) -> None:
    """All that needs nobody at the keyboard is found good."""
    found = findings(mac, "permissions", "microphone", "hotkeys", "typing")
    assert {finding.name: finding.status for finding in found} == {
        "may microphone": "ok",
        "may typing": "ok",
        "first audio": "ok",
        "audio": "ok",
        "loudness": "ok",
        "microphone off": "ok",
        "key toggle": "skip",
        "front app": "ok",
        "typing": "ok",
        "user's keys": "ok",
        "pasting": "ok",
    }


def test_a_mac_that_is_not(mac: FakeMac) -> None:
    """Each fault is found, and has a remedy."""
    mac.is_trusted = False
    mac.microphone.authorized = 2
    mac.c.taken = {(97, 0)}
    found = findings(mac, "permissions", "microphone", "hotkeys", "typing")
    bad = {finding.name: finding for finding in found if finding.status != "ok"}
    assert list(bad) == ["may microphone", "may typing", "microphone", "hotkeys", "typing"]
    assert [finding.status for finding in bad.values()] == ["fail", "warn", "fail", "fail", "fail"]
    assert all(finding.remedy for finding in bad.values())
    assert mac.trust_prompts == 1


@pytest.mark.slow
def test_text_that_arrives_otherwise_is_found(mac: FakeMac) -> None:
    """And shown, because it is the test's own."""
    post = mac.runtime.behaviours["CGEventPost"]

    def lossy(place: int, event: Any) -> None:
        if event.text is not None and "Stra" in event.text:
            event.text = event.text.replace("ß", "ss")
        post(place, event)

    mac.runtime.behaviours["CGEventPost"] = lossy
    found = {finding.name: finding for finding in findings(mac, "typing")}
    assert found["typing"].status == "fail"
    assert "\\xdf" in found["typing"].detail


def test_a_check_that_breaks_does_not_show_what_it_held(mac: FakeMac) -> None:
    """Only the kind of the error: its text may hold anything."""

    def broken() -> Any:
        raise ValueError("sentinel")

    [found] = selftest.run({"it": broken})
    assert (found.status, found.detail) == ("fail", "ValueError in it")


def test_the_whole_run_ends_by_itself(mac: FakeMac, capsys: pytest.CaptureFixture[str]) -> None:
    """With the main loop on this thread and the checks on another; without a server it fails, and says so."""
    here = partial(desktop, mac=mac, carbon=mac.carbon)
    is_well = selftest.run_selftest(SETTINGS, here)
    said = capsys.readouterr().out
    assert not is_well
    assert said.count("FAIL") == 1
    assert "start it with 'steno up'" in said
    assert mac.c.registered == {}
    assert not mac.microphone.is_running


def test_without_pyobjc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on this machine, whatever it is."""

    class Bare(Frameworks):
        def load(self, name: str) -> Any:
            return super().load(f"{name}_that_is_not_there")

    with pytest.raises(NotInstalled, match=r"steno\[macos\]"):
        desktop(SETTINGS, mac=Bare())


def test_the_page_corrects_nothing(mac: FakeMac) -> None:
    """A quote that macOS made round would count as lost."""
    page = MacPage(mac)
    page.open()
    for kind in ("Quote", "Dash"):
        assert mac.runtime.called(f"setAutomatic{kind}SubstitutionEnabled:") == [(False,)]
    page.close()
    page.close()


@pytest.mark.parametrize("count", [1, 7])
def test_a_hot_key_that_counts_more_than_once_is_found(mac: FakeMac, count: int) -> None:
    """Taking back relies on it: what comes from holding the key would count as typing."""
    ports = desktop(SETTINGS, plain=True, mac=mac, carbon=mac.carbon)

    def press(_asked: str) -> None:
        mac.front.user_presses += count
        for kind in (5, 6):
            mac.c.press(97, kind)

    found = list(selftest.hotkeys(ports.hotkey, ports.typer, {"toggle": parse_chord("f6")}, press))
    assert [finding.name for finding in found] == ["key toggle", "count toggle"][: 1 + (count > 1)]
    assert found[0].status == "ok"
