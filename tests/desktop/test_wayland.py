"""Dictation on a Wayland desktop, with `wtype`: the typer, and the whole product."""

from collections.abc import Generator
from pathlib import Path

import pytest

from bench.desktop import Sound, Window, wait_until
from client.dictation import control
from client.dictation.core.target import Target
from client.dictation.linux.wayland import WtypeTyper
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.dictating import dictating, shown
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.sway import Sway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HARD = (
    "Hi, it's 5 < 6 & 7! Grüße – „Straße“ Привет, мир! 你好世界 日本語 한국어 ไทย ελληνικά "
    "👍 👩\u200d👩\u200d👧 🇩🇪 👍🏽 e\u0301 \n\tand a line"
)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sway]:
    """A desktop with a sound server."""
    with shown(Sway, tmp_path_factory.mktemp("wayland")) as screen:
        Sound.on(screen)
        yield screen


@pytest.fixture
def typer(screen: Sway, monkeypatch: pytest.MonkeyPatch) -> WtypeTyper:
    """A typer on it."""
    monkeypatch.setenv("WAYLAND_DISPLAY", screen.environment["WAYLAND_DISPLAY"])
    assert WtypeTyper.works("wtype")
    return WtypeTyper("wtype")


@pytest.fixture
def window(screen: Sway) -> Generator[Window]:
    """A Qt window with the focus."""
    window = screen.window("qt")
    yield window
    window.close()


def test_any_text(typer: WtypeTyper, window: Window) -> None:
    typer.type(HARD, "return")
    typer.paste(HARD)
    assert window.read(2 * len(HARD)) == 2 * HARD


def test_new_lines_and_backspace(typer: WtypeTyper, window: Window) -> None:
    typer.type("one\ntwo", "shift-return")
    wait_until(lambda: window.text == "one\ntwo", "two lines")
    typer.type("\nthree", "space")
    wait_until(lambda: window.text == "one\ntwo three", "one of them a space")
    typer.erase(6)
    wait_until(lambda: window.text == "one\ntwo", "less")


def test_what_is_not_known_there(typer: WtypeTyper) -> None:
    assert typer.target() == Target()
    assert typer.presses() is None


def test_a_text_is_copied(screen: Sway, typer: WtypeTyper) -> None:
    typer.copy("kept ß 世界")
    wait_until(lambda: screen.ask("wl-paste", "--no-newline") == "kept ß 世界", "the clipboard")


def test_there_is_no_compositor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "none-there")
    assert not WtypeTyper.works("wtype")


@pytest.mark.model
def test_what_is_said_stands_in_the_window(
    screen: Sway, window: Window, english: Service, tmp_path: Path
) -> None:
    """Turned on and off by command, as the compositor's own key does it."""
    sound = Sound(screen)
    with dictating(screen, english, tmp_path) as running:
        control.ask(running.place, "on")
        running.wait_for(state="on", light="on")
        sound.say(pcm16(silence(0.3), clip("en_quilter").samples(), silence(1.0))).wait()
        control.ask(running.place, "off")
        running.wait_for(state="off")
        assert window.read(len(running.text)) == running.text
        assert wer(clip("en_quilter").text, window.text) < 0.2
