"""The X11 typer against real windows: exact, whatever is typed and however the keyboard is."""

import gc
import subprocess
from collections.abc import Generator

import pytest
from Xlib import X
from Xlib.display import Display

from bench.desktop import Screen, Window, wait_until
from client.dictation.core.chords import parse_chord
from client.dictation.errors import HotkeyTaken, NotTyped
from client.dictation.linux.x11_hotkey import X11Hotkey
from client.dictation.linux.x11_typer import X11Typer
from tests.support.dictating import shown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HARD = (
    "Hi, it's 5 < 6 & 7! Grüße – „Straße“ Привет, мир! 你好世界 日本語 한국어 ไทย ελληνικά "
    "👍 👩\u200d👩\u200d👧 🇩🇪 👍🏽 e\u0301 "
)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Generator[Screen]:
    """A desktop."""
    with shown(Screen, tmp_path_factory.mktemp("typing")) as screen:
        yield screen


@pytest.fixture
def typer(screen: Screen) -> Generator[X11Typer]:
    """A typer on it."""
    typer = X11Typer(screen.environment["DISPLAY"])
    yield typer
    typer.close()


@pytest.fixture
def window(screen: Screen) -> Generator[Window]:
    """A Qt window with the focus."""
    window = screen.window("qt")
    yield window
    window.close()


def types_exactly(typer: X11Typer, window: Window, text: str) -> None:
    """Type, and compare."""
    before = window.text
    typer.type(text, "return")
    assert window.read(len(before + text)) == before + text


@pytest.mark.parametrize("kind", ["tk", "qt", "xterm", "chromium"])
def test_any_text_in_any_window(screen: Screen, typer: X11Typer, kind: str) -> None:
    window = screen.window(kind)
    try:
        for _ in range(3):
            types_exactly(typer, window, HARD)
    finally:
        window.close()


def test_ten_thousand_characters(typer: X11Typer, window: Window) -> None:
    line = "The quick brown fox jumps over the lazy dog, 42 times; Straße, 世界, Ελλάδα!\n"
    types_exactly(typer, window, (line * 200)[:10_000])


def test_held_modifiers_and_locks(screen: Screen, typer: X11Typer, window: Window) -> None:
    screen.ask("xdotool", "key", "Caps_Lock")
    screen.ask("xdotool", "keydown", "Control_L", "keydown", "Alt_L")
    try:
        types_exactly(typer, window, "Not SHOUTED, äöü.")
        down = typer._held()
        assert len(down) == 2  # put down again: their user still holds them
    finally:
        screen.ask("xdotool", "keyup", "Alt_L", "keyup", "Control_L", "key", "Caps_Lock")


@pytest.mark.parametrize(
    "layout", [("us", "intl"), ("de", "nodeadkeys"), ("fr", ""), ("ru", ""), ("us,ru", "")]
)
def test_layouts_with_dead_keys_and_other_scripts(
    screen: Screen, typer: X11Typer, window: Window, layout: tuple[str, str]
) -> None:
    name, variant = layout
    if subprocess.run(["sh", "-c", "command -v setxkbmap"], capture_output=True, check=False).returncode:
        pytest.skip("there is no setxkbmap; deploy/ci/system-packages.sh installs it")
    screen.ask("setxkbmap", name, variant)
    try:
        types_exactly(typer, window, "It's ~ ^ ` \" é ñ Привет 世界.")
    finally:
        screen.ask("setxkbmap", "us", "")


def test_new_lines_and_backspace(typer: X11Typer, window: Window) -> None:
    typer.type("one\ntwo", "shift-return")
    wait_until(lambda: window.text == "one\ntwo", "two lines")
    typer.type("\nthree", "space")
    wait_until(lambda: window.text == "one\ntwo three", "one of them a space")
    typer.erase(6)
    wait_until(lambda: window.text == "one\ntwo", "less")


def test_pasting_gives_the_clipboard_back(screen: Screen, typer: X11Typer, window: Window) -> None:
    def clipboard() -> str:
        return screen.ask("xclip", "-selection", "clipboard", "-out")

    screen.start("sh", "-c", "printf before | xclip -selection clipboard -in -loops 0")
    wait_until(lambda: clipboard() == "before", "the clipboard")
    typer.paste("pasted 世界 👍")
    wait_until(lambda: window.text == "pasted 世界 👍", "the text")
    assert clipboard() == "before"
    typer.copy("kept ß")
    assert clipboard() == "kept ß"


def test_presses_of_others_are_counted(screen: Screen, typer: X11Typer, window: Window) -> None:
    """Keys and buttons, also while another program has taken them; not modifiers alone, nor wheels."""
    assert typer.presses() is None
    typer.type("mine", "return")
    before = typer.presses()
    assert before is not None
    typer.type(" and Mine, 世界", "return")
    screen.press("shift", "ctrl", "ISO_Level3_Shift", "Caps_Lock", "Caps_Lock")
    screen.ask("xdotool", "click", "4")
    assert typer.presses() == before
    screen.press("y")
    assert typer.presses() == before + 1
    thief = Display(screen.environment["DISPLAY"])
    thief.screen().root.grab_keyboard(True, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
    thief.sync()
    screen.press("y")
    thief.close()
    screen.ask("xdotool", "click", "1")
    assert typer.presses() == before + 3


def test_a_hotkey_is_pressed_once_and_typing_works_while_it_is_held(
    screen: Screen, typer: X11Typer, window: Window
) -> None:
    hotkey, other = X11Hotkey(screen.environment["DISPLAY"]), X11Hotkey(screen.environment["DISPLAY"])
    seen: list[tuple[str, bool]] = []
    hotkey.start({"hold": parse_chord("ctrl+f9")}, lambda name, is_down: seen.append((name, is_down)))
    try:
        with pytest.raises(HotkeyTaken, match="another program"):
            other.start({"toggle": parse_chord("ctrl+f9")}, lambda _name, _is_down: None)
        screen.ask("xdotool", "keydown", "ctrl", "keydown", "F9")
        wait_until(lambda: seen == [("hold", True)], "the press")
        types_exactly(typer, window, "while it is held")
        screen.ask("xdotool", "keyup", "ctrl")
        screen.ask("xdotool", "keyup", "F9")
        wait_until(lambda: seen == [("hold", True), ("hold", False)], "the release")
    finally:
        hotkey.stop()
        other.stop()
    screen.press("ctrl+F9")
    assert len(seen) == 2


# python-xlib leaves the sockets that it tried to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_there_is_no_x_server() -> None:
    with pytest.raises(HotkeyTaken, match="toggle"):
        X11Hotkey(":9999").start({}, lambda _name, _is_down: None)
    with pytest.raises(NotTyped, match="can't be reached"):
        X11Typer(":9999")
    gc.collect()
