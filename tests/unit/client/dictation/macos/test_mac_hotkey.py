"""Hot keys by way of Carbon's own functions, called as C."""

import ctypes as c
import threading
from typing import Any

import pytest

from client.dictation.core.chords import parse_chord
from client.dictation.errors import HotkeyTaken
from client.dictation.macos import carbon, keys
from client.dictation.macos.hotkey import MacHotkey
from tests.support.pyobjc import metadata
from tests.support.pyobjc.mac import FakeMac

CHORDS = {"toggle": parse_chord("cmd+alt+d"), "talk": parse_chord("f6")}


def test_each_press_and_release_is_told_once(mac: FakeMac) -> None:
    """Also when the system repeats a key that is held."""
    heard: list[tuple[str, bool]] = []
    port = MacHotkey(mac, mac.carbon)
    port.start(CHORDS, lambda name, is_down: heard.append((name, is_down)))
    assert sorted(mac.c.registered.values()) == [(2, 0x100 | 0x800, 1), (97, 0, 2)]
    for kind in (5, 5, 6, 6, 5):
        mac.c.press(97, kind)
    mac.c.press(2, 5)
    mac.c.press(2, 6)
    assert heard == [("talk", True), ("talk", False), ("talk", True), ("toggle", True), ("toggle", False)]
    port.stop()
    port.stop()
    assert (mac.c.registered, mac.c.handler) == ({}, None)


def test_a_key_of_another_program_is_refused_and_none_is_kept(mac: FakeMac) -> None:
    """The message names the chord."""
    mac.c.taken = {(97, 0)}
    port = MacHotkey(mac, mac.carbon)
    with pytest.raises(HotkeyTaken, match="f6 belongs to another program"):
        port.start(CHORDS, lambda _name, _is_down: None)
    assert (mac.c.registered, mac.c.handler) == ({}, None)


def test_a_letter_is_the_key_on_which_it_is_printed(mac: FakeMac) -> None:
    """By the layout in use; where that lacks it, as on an American keyboard."""
    mac.c.layout = {4: "d"}
    port = MacHotkey(mac, mac.carbon)
    port.start(
        {"toggle": parse_chord("ctrl+d"), "other": parse_chord("ctrl+q")}, lambda _name, _is_down: None
    )
    assert sorted(code for code, _, _ in mac.c.registered.values()) == [4, 12]
    assert mac.c.sources == 0
    port.stop()


def test_keys_that_no_mac_has_are_refused(mac: FakeMac) -> None:
    """F21 is a name that other keyboards know."""
    for key in ("f21", "scroll_lock", "ctrl+ł"):
        with pytest.raises(HotkeyTaken):
            keys.to_carbon(parse_chord(key), lambda _code: "")


def test_from_another_thread_it_happens_on_the_main_one(mac: FakeMac) -> None:
    """Carbon takes keys there alone."""
    where: list[threading.Thread] = []
    register = mac.carbon.register
    mac.carbon.register = lambda *key: (where.append(threading.current_thread()), register(*key))[1]  # type: ignore[method-assign]
    port = MacHotkey(mac, mac.carbon)
    with mac.serving(threading.Thread(target=port.start, args=(CHORDS, lambda _name, _is_down: None))):
        assert where == [threading.main_thread()] * 2


def test_codes_and_masks_are_apples() -> None:
    """Compared with the constants of a package that lives on them, and with PyObjC's for keyboard events."""
    known = metadata.read_file("quickmachotkey/_MinimalHIToolbox/_metadata.py")[0].values
    assert (known["cmdKey"], known["shiftKey"]) == (keys.COMMAND, keys.SHIFT)
    assert (known["optionKey"], known["controlKey"]) == (keys.OPTION, keys.CONTROL)
    assert (known["kEventHotKeyPressed"], known["kEventHotKeyReleased"]) == (carbon.PRESSED, carbon.RELEASED)
    assert known["kEventClassKeyboard"] == carbon.KEYBOARD
    assert known["typeEventHotKeyID"] == carbon.HOT_KEY_ID
    assert known["kEventParamDirectObject"] == carbon.DIRECT_OBJECT
    assert metadata.read().names["Carbon"].values["kEventHotKeyExclusive"] == carbon.EXCLUSIVE
    for number in range(1, 21):
        chord = parse_chord(f"f{number}")
        assert keys.to_carbon(chord, lambda _code: "") == (known[f"kVK_F{number}"], 0)
    names = {"-": "Minus", "=": "Equal", "[": "LeftBracket", "]": "RightBracket", ";": "Semicolon"}
    names |= {"'": "Quote", "\\": "Backslash", ",": "Comma", "/": "Slash", ".": "Period", "`": "Grave"}
    for character in "abcdefghijklmnopqrstuvwxyz0123456789-=[];'\\,/.`":
        wanted = known[f"kVK_ANSI_{names.get(character, character.upper())}"]
        assert keys.code_of(character, lambda _code: "") == wanted


def test_functions_are_declared_as_apple_declares_them() -> None:
    """Argument by argument, as far as PyObjC's metadata has them."""
    known = metadata.read_file("quickmachotkey/_MinimalHIToolbox/_metadata.py")[0].functions
    known |= metadata.read().names["Carbon"].functions
    compared = set(carbon.SIGNATURES) & set(known)
    assert compared >= {
        "RegisterEventHotKey",
        "UnregisterEventHotKey",
        "InstallEventHandler",
        "GetEventParameter",
    }
    for name in compared:
        result, arguments = carbon.SIGNATURES[name]
        about = known[name]
        assert [_size(kind) for kind in (result, *arguments)] == [
            _encoded_size(kind) for kind in (about.result, *about.arguments)
        ], name


def _size(kind: Any) -> int:
    return c.sizeof(kind)


def _encoded_size(kind: str) -> int:
    if kind == "{EventHotKeyID=II}":
        return 8
    return {"i": 4, "I": 4, "L": 8, "Q": 8, "S": 2}.get(kind, 8)
