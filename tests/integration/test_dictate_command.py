"""`steno dictate` as a command: what it says to the dictation that runs, and about one that does not."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from client.cli.main import app
from client.dictation import control
from client.dictation.settings import Settings
from shared.errors import Unavailable
from tests.support.fake_desktop import FakeDesktop, Running
from tests.support.service import Service
from tests.support.speech import spoken

RUNNER = CliRunner()


def test_on_off_toggle_undo_status_and_quit(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def ask(verb: str) -> dict[str, object]:
        done = RUNNER.invoke(app, ["dictate", verb, "--json"], catch_exceptions=False)
        assert done.exit_code == 0
        return json.loads(done.stdout)

    with Running(FakeDesktop(spoken(gap_s=1.0)), Settings(url=service.url), control.folder()) as desktop:
        assert ask("status")["state"] == "off"
        assert ask("on")["state"] == "connecting"
        desktop.wait_until(lambda view: len(view.history) >= 2)
        shown = RUNNER.invoke(app, ["dictate", "status"]).stdout
        assert "Dictation ON" in shown
        assert not any(text in shown for text in desktop.view.history)
        ask("off")
        desktop.wait_until(lambda view: view.state == "off")
        ask("undo")
        desktop.wait_until(lambda view: desktop.typed == " ".join(reversed(view.history[1:])))
        assert ask("toggle")["microphone"]
        ask("quit")
    with pytest.raises(Unavailable, match="start it with"):
        RUNNER.invoke(app, ["dictate", "status"], catch_exceptions=False)
