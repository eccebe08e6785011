"""Dictation between a desktop in memory and the running service, scripted engine."""

import logging
from pathlib import Path

import pytest

from client.dictation import control
from client.dictation.core.view import Cue, State
from client.dictation.errors import NoMicrophone, PermissionMissing
from client.dictation.settings import Settings
from shared.errors import Conflict, Unavailable
from tests.support.fake_desktop import FakeDesktop, Running
from tests.support.service import Service, free_port
from tests.support.speech import spoken

TALK = spoken(gap_s=1.0)
SENTINEL = "Xylophonsentinel"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for the socket, with a short name."""
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    return place


def test_what_is_said_is_typed_in_order(service: Service, place: Path) -> None:
    settings = Settings(url=service.url)
    with Running(FakeDesktop(TALK), settings, place) as desktop:
        desktop.on_key("toggle", True)
        desktop.on_key("toggle", False)
        desktop.wait_until(lambda view: view.state == State.ON and len(view.history) >= 2)
        assert desktop.is_open
        assert control.ask(place, "status")["state"] == "on"
        control.ask(place, "off")
        view = desktop.wait_until(lambda view: view.state == State.OFF)
        assert desktop.typed == " ".join(reversed(view.history))
        assert desktop.cues == [Cue.START, Cue.STOP]
        desktop.wish("copy_last")
        desktop.wait_until(lambda view: desktop.clipboard == view.last)
        desktop.presses += 1
        desktop.on_key("undo", True)
        desktop.wait_until(lambda view: desktop.typed == " ".join(reversed(view.history[1:])))


def test_replacements_and_what_is_logged(
    service: Service, place: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A word that only the user's own replacements have is in no log and no output, whatever fails."""
    desktop = FakeDesktop(TALK)
    with Running(desktop, Settings(url=service.url), place):
        desktop.wish("on")
        word = desktop.wait_until(lambda view: view.history).history[0].split()[0].strip(".,")
    settings = Settings(url=service.url, replacements={word: SENTINEL})
    faults = (None, PermissionMissing("not allowed"), RuntimeError(SENTINEL), NoMicrophone("none"))
    with caplog.at_level(logging.DEBUG):
        for fault in faults:
            failing = FakeDesktop(TALK)
            failing.not_typed = fault
            with Running(failing, settings, place):
                failing.wish("on")
                failing.wait_until(lambda view: any(SENTINEL in text for text in view.history))
                failing.wish("off")
                view = failing.wait_until(lambda view: view.state == State.OFF)
                assert (SENTINEL in failing.typed) == (fault is None)
                assert bool(view.notice) == (fault is not None)
                assert SENTINEL not in view.notice
                assert SENTINEL not in str(control.ask(place, "status"))
    assert caplog.records
    assert SENTINEL not in caplog.text
    assert not any(SENTINEL in str(vars(record)) for record in caplog.records)
    assert SENTINEL not in "".join(capfd.readouterr())


def test_no_server(place: Path) -> None:
    with Running(FakeDesktop(TALK), Settings(url=f"http://127.0.0.1:{free_port()}"), place) as desktop:
        desktop.wish("on")
        view = desktop.wait_until(lambda view: view.light == "red")
        assert "can't reach" in view.notice
        desktop.wish("off")


def test_a_wrong_key(place: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("wrong")
    with Service.running(
        tmp_path, modules=("api",), api_keys="alice:0123456789abcdef0123456789abcdef"
    ) as locked:
        settings = Settings(url=locked.url, api_key_file=str(tmp_path / "key"))
        with Running(FakeDesktop(TALK), settings, place) as desktop:
            desktop.wish("on")
            view = desktop.wait_until(lambda view: view.notice)
            assert "key" in view.notice
            desktop.wait_until(lambda view: view.state == State.OFF)


def test_no_microphone_and_none_allowed(service: Service, place: Path) -> None:
    with Running(FakeDesktop(), Settings(url=service.url), place) as desktop:
        desktop.no_microphone = NoMicrophone("There is no microphone.")
        desktop.wish("on")
        desktop.wait_until(lambda view: view.notice == "There is no microphone.")
        desktop.permission = "denied"
        desktop.wish("on")
        view = desktop.wait_until(lambda view: view.notice == "Allow the microphone.")
        assert view.state == State.OFF
        assert desktop.cues == [Cue.ERROR, Cue.ERROR]


def test_the_microphone_vanishes(service: Service, place: Path) -> None:
    with Running(FakeDesktop(TALK), Settings(url=service.url), place) as desktop:
        desktop.wish("on")
        desktop.wait_until(lambda view: view.state == State.ON)
        assert desktop.has_spoken.wait(60)
        desktop.on_loss("The microphone is gone.")
        view = desktop.wait_until(lambda view: view.state == State.OFF)
        assert view.notice == "The microphone is gone."
        assert desktop.typed


def test_only_one_at_a_time(service: Service, place: Path) -> None:
    with pytest.raises(Unavailable, match="does not run"):
        control.ask(place, "status")
    with Running(FakeDesktop(), Settings(url=service.url), place):
        with pytest.raises(Conflict, match="runs already"), control.only_one(place):
            pytest.fail("the lock was given twice")
        assert control.ask(place, "toggle")["state"] == "connecting"
    with pytest.raises(Unavailable, match="does not run"):
        control.ask(place, "status")


def test_a_folder_of_others_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert control.folder() == tmp_path / "steno"
    (tmp_path / "steno").chmod(0o777)
    with pytest.raises(Unavailable, match="used by others"):
        control.folder()
