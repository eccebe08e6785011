"""The whole product on a real desktop: speech in, text in a window, a real server between them."""

import shutil
import signal
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from Xlib import X
from Xlib.display import Display

from bench.desktop import Screen, Sound, Window, wait_until
from client.dictation import control
from client.dictation.core.view import Light
from client.dictation.linux.qt_shell import COLOURS
from client.dictation.linux.x11_focus import Focus
from shared.audio.pcm import SAMPLE_RATE, Float32
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.dictating import Dictating, dictating, joined, shown
from tests.support.service import Service
from tests.support.sound import pcm16, silence

pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.timeout(300)]

ARTEFACTS = Path(__file__).parent / "artefacts"
TRAY_HEIGHT = 32


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Generator[Screen]:
    """A desktop with a sound server."""
    with shown(Screen, tmp_path_factory.mktemp("desktop")) as screen:
        Sound.on(screen)
        yield screen


@pytest.fixture
def sound(screen: Screen) -> Sound:
    """Its microphone."""
    return Sound(screen)


def dictate(screen: Screen, sound: Sound, running: Dictating, speech: bytes) -> None:
    """Turn it on with the hotkey, speak, and turn it off when all is said."""
    screen.press("ctrl+alt+d")
    running.wait_for(state="on", light="on")
    assert sound.is_recorded()
    sound.say(speech).wait()
    turn_off(screen, sound, running)


def turn_off(screen: Screen, sound: Sound, running: Dictating) -> None:
    """With the hotkey. It is off when the last final is typed; the microphone is closed by then."""
    screen.press("ctrl+alt+d")
    running.wait_for(state="off")
    wait_until(lambda: not sound.is_recorded(), "a closed microphone")


def has_all_of(window: Window, running: Dictating) -> None:
    """What the server said stands in the window, to the letter."""
    assert running.text
    assert window.read(len(running.text)) == running.text


def photograph(screen: Screen, name: str, light: Light) -> None:
    """A picture of the screen, once this light is on it."""
    wait_until(lambda: screen.spot(COLOURS[light]), f"a light that is {light}")
    screen.picture(ARTEFACTS / f"dictation_{name}.png")


@pytest.mark.parametrize("kind", ["tk", "xterm", "qt", "chromium"])
def test_what_is_said_stands_in_the_window(
    kind: str, screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    with closing(screen.window(kind)) as window, dictating(screen, english, tmp_path) as running:
        dictate(screen, sound, running, pcm16(silence(0.3), clip("en_quilter").samples(), silence(1.0)))
        has_all_of(window, running)


def test_the_server_dies_in_mid_sentence(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    spoken = clip("en_demo")
    with closing(screen.window("qt")) as window, dictating(screen, english, tmp_path) as running:
        screen.picture(ARTEFACTS / "dictation_off.png")
        screen.press("ctrl+alt+d")
        running.wait_for(state="on")
        speaking = sound.say(pcm16(silence(0.3), spoken.samples(), silence(1.5)))
        wait_until(lambda: "on+" in running.lights, "a partial")
        photograph(screen, "on", "on")
        english.end("api", signal.SIGKILL)
        running.wait_for(light="red")
        photograph(screen, "lost", "red")
        english.start("api")
        english.wait_until_ready()
        running.wait_for(light="on")
        speaking.wait()
        turn_off(screen, sound, running)
        has_all_of(window, running)
        numbers = [(final["run"], final["utterance"]) for final in running.said]
        assert numbers == sorted(set(numbers))
        assert wer(spoken.text, window.text) < 0.2


def test_what_is_said_while_the_server_hangs_is_kept(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    """At the beginning and at the end: CONNECTING and DRAINING as they look."""
    edge = english.processes["api"]
    with closing(screen.window("tk")) as window, dictating(screen, english, tmp_path) as running:
        try:
            edge.send_signal(signal.SIGSTOP)
            screen.press("ctrl+alt+d")
            running.wait_for(state="connecting", microphone=True)
            speaking = sound.say(pcm16(silence(0.3), clip("en_quilter").samples(), silence(0.5)))
            photograph(screen, "connecting", "wait")
            edge.send_signal(signal.SIGCONT)
            running.wait_for(state="on")
            speaking.wait()
            edge.send_signal(signal.SIGSTOP)
            screen.press("ctrl+alt+d")
            running.wait_for(state="draining", microphone=False)
            photograph(screen, "draining", "wait")
        finally:
            edge.send_signal(signal.SIGCONT)
        running.wait_for(state="off")
        has_all_of(window, running)
        assert wer(clip("en_quilter").text, window.text) < 0.2


def test_a_server_that_has_lost_all_sessions(screen: Screen, sound: Sound, tmp_path: Path) -> None:
    """Its Redis restarts empty: what no final covers is sent to a new session."""
    spoken = clip("en_demo")
    (tmp_path / "service").mkdir()
    with (
        Service.running(tmp_path / "service", model="tiny.en", modules=("api", "worker")) as service,
        closing(screen.window("tk")) as window,
        dictating(screen, service, tmp_path) as running,
    ):
        screen.press("ctrl+alt+d")
        running.wait_for(state="on")
        speaking = sound.say(pcm16(silence(0.3), spoken.samples(), silence(1.5)))
        wait_until(lambda: running.said, "a final")
        service.restart_redis()
        wait_until(lambda: "red" in running.lights, "a red light")
        speaking.wait()
        running.wait_for(light="on")
        turn_off(screen, sound, running)
        has_all_of(window, running)
        assert len({final["run"] for final in running.said}) == 2
        assert wer(spoken.text, window.text) < 0.25


def type_all(screen: Screen, sound: Sound, running: Dictating, window: Window) -> None:
    """Turn it on, speak, and wait until the last final is in the window."""
    before = len(window.text)
    screen.press("ctrl+alt+d")
    running.wait_for(state="on", light="on")
    sound.say(pcm16(silence(0.3), clip("en_quilter").samples(), silence(2.0))).wait()
    wait_until(lambda: wer(clip("en_quilter").text, window.text[before:]) < 0.2, "the text")


def test_undo_takes_back_the_last_utterance_and_only_that(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    """By hot key, and from a terminal; turning it off with the hot key does not count as typing."""
    keys = ("[hotkey]", 'undo = "ctrl+alt+z"')
    with closing(screen.window("tk")) as window, dictating(screen, english, tmp_path, *keys) as running:

        def is_refused() -> bool:
            return "can't be taken back" in str(running.status["notice"])

        type_all(screen, sound, running, window)
        turn_off(screen, sound, running)
        has_all_of(window, running)
        kept = joined(running.said[:-1])
        screen.press("ctrl+alt+z")
        wait_until(lambda: window.text.rstrip() == kept.rstrip(), "the last utterance gone")
        control.ask(running.place, "undo")
        wait_until(is_refused, "a refusal: it is gone already")
        type_all(screen, sound, running, window)
        control.ask(running.place, "off")
        running.wait_for(state="off")
        length = len(window.text) + 1
        screen.press("y")
        whole = window.read(length)
        screen.press("ctrl+alt+z")
        wait_until(is_refused, "a refusal: something was typed")
        assert window.text == whole


def test_the_icon_in_the_tray_and_its_menu(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    """A click turns it on and off, which is heard; what is picked in the menu does not count as typing."""
    if shutil.which("trayer") is None:
        pytest.skip("there is no trayer; deploy/ci/system-packages.sh installs it")
    tray = screen.start("trayer", "--edge", "top", "--widthtype", "request", "--height", str(TRAY_HEIGHT))

    def icon(light: Light) -> tuple[int, int]:
        spots: list[tuple[int, int]] = []

        def is_there() -> bool:
            spot = screen.spot(COLOURS[light], above=TRAY_HEIGHT)
            spots.extend([spot] if spot else [])
            return bool(spots)

        wait_until(is_there, f"an icon that is {light}")
        return spots[-1]

    with (
        closing(Display(screen.environment["DISPLAY"])) as display,
        closing(screen.window("tk")) as window,
        dictating(screen, english, tmp_path) as running,
        sound.heard() as has_heard,
    ):
        screen.click(icon("off"))
        running.wait_for(state="on", light="on")
        wait_until(has_heard, "a cue")
        sound.say(pcm16(silence(0.3), clip("en_quilter").samples(), silence(2.0))).wait()
        wait_until(lambda: wer(clip("en_quilter").text, window.text) < 0.2, "the text")
        place = icon("on")
        screen.picture(ARTEFACTS / "dictation_tray_on.png")
        screen.click(place)
        running.wait_for(state="off")
        has_all_of(window, running)
        kept = joined(running.said[:-1])
        screen.click(icon("off"), button=3)
        wait_until(Focus(display).is_grabbed, "an open menu")
        screen.picture(ARTEFACTS / "dictation_tray_menu.png")
        screen.press("Down", "Down", "Return")
        wait_until(lambda: window.text.rstrip() == kept.rstrip(), "the last utterance gone")
    screen.end(tray)


@pytest.mark.parametrize("stay", [False, True])
def test_the_focus_moves_in_mid_utterance(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path, stay: bool
) -> None:
    """The text goes whole to where the focus is by then, or with `stay` nowhere."""
    line = f"stay = {str(stay).lower()}"
    with closing(screen.window("tk")) as first, dictating(screen, english, tmp_path, line) as running:
        control.ask(running.place, "on")
        running.wait_for(state="on", light="on")
        speaking = sound.say(pcm16(silence(0.3), one_utterance(), silence(1.5)))
        wait_until(lambda: "on+" in running.lights, "a partial")
        with closing(screen.window("qt")) as second:
            speaking.wait()
            control.ask(running.place, "off")
            running.wait_for(state="off")
            assert len(running.said) == 1
            if stay:
                assert "Another window came to the front" in str(running.status["notice"])
                assert running.status["history"] == 1
            else:
                has_all_of(second, running)
            assert second.text == ("" if stay else running.text)
            assert first.text.strip("x") == ""  # letters of those that found the focus


def one_utterance() -> Float32:
    """The first seconds of a sentence, without a pause in them."""
    return clip("en_quilter").samples()[: 4 * SAMPLE_RATE]


def test_a_text_while_the_keyboard_is_taken_is_kept_back(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    """As password prompts do it."""
    with (
        closing(Display(screen.environment["DISPLAY"])) as thief,
        closing(screen.window("tk")) as window,
        dictating(screen, english, tmp_path, "hold_s = 1") as running,
    ):
        control.ask(running.place, "on")
        running.wait_for(state="on")
        thief.screen().root.grab_keyboard(True, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
        thief.sync()
        sound.say(pcm16(silence(0.3), one_utterance(), silence(1.0))).wait()
        wait_until(lambda: "in the menu" in str(running.status["notice"]), "a notice")
        control.ask(running.place, "off")
        running.wait_for(state="off")
        assert running.text
        assert window.text == ""
        assert running.status["history"]


def test_the_microphone_vanishes_and_comes_back(
    screen: Screen, sound: Sound, english: Service, tmp_path: Path
) -> None:
    with dictating(screen, english, tmp_path) as running:
        control.ask(running.place, "on")
        running.wait_for(state="on", light="on")
        assert sound.is_recorded()
        sound.end()
        running.wait_for(state="off", microphone=False)
        assert "microphone" in str(running.status["notice"]).lower()
        Sound.on(screen)
        control.ask(running.place, "on")
        running.wait_for(state="on", light="on")


def test_no_log_has_what_was_said(screen: Screen) -> None:
    """All of the tests above wrote to one log, at level debug."""
    log = (screen.folder / "log").read_text(errors="replace").lower()
    words = [word for word in clip("en_quilter").text.split() if len(word) > 5]
    assert words
    assert not [word for word in words if word in log]
