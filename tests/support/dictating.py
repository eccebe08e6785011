"""`steno dictate` on a desktop of the test's own, and what it says and shows."""

import contextlib
import json
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from bench.desktop import Screen, wait_until
from client.dictation import control
from shared.errors import Unavailable
from shared.transcript import join
from tests.support.service import Service

S = TypeVar("S", bound=Screen)

PROGRAM = "bench.windows.dictation_program"


@contextlib.contextmanager
def shown(kind: type[S], folder: Path) -> Generator[S]:
    """A screen of this kind; the test is skipped where its programs are missing."""
    with contextlib.ExitStack() as stack:
        try:
            screen = stack.enter_context(kind.running(folder))
        except LookupError as missing:
            pytest.skip(str(missing))
        yield screen


@dataclass
class Dictating:
    """`steno dictate` as it runs."""

    place: Path
    finals_file: Path
    lights_file: Path

    @property
    def status(self) -> dict[str, object]:
        """What `steno dictate status` says."""
        return control.ask(self.place, "status")

    @property
    def said(self) -> list[dict[str, object]]:
        """The finals that the server gave it."""
        return [json.loads(line) for line in _lines(self.finals_file)]

    @property
    def lights(self) -> list[str]:
        """All lights so far; `on+` where there was a partial."""
        return _lines(self.lights_file)

    @property
    def text(self) -> str:
        """They as one text."""
        return joined(self.said)

    @property
    def has_begun(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.status)
        except Unavailable:
            return False

    def wait_for(self, **fields: object) -> None:
        """Wait until the status has these."""
        wait_until(lambda: fields.items() <= self.status.items(), f"{fields}")


def joined(said: list[dict[str, object]]) -> str:
    """Finals as one text."""
    whole = ""
    for final in said:
        whole = join(whole, str(final["text"]))
    return whole


def _lines(file: Path) -> list[str]:
    """Those that are whole: the program writes while this reads."""
    return file.read_text().split("\n")[:-1] if file.exists() else []


@contextlib.contextmanager
def dictating(screen: Screen, service: Service, folder: Path, *settings: str) -> Generator[Dictating]:
    """Run it, with lines of settings; it has to end well."""
    path = folder / "dictation.toml"
    path.write_text("\n".join([f'url = "{service.url}"', 'language = "en"', *settings]))
    place = Path(screen.environment["XDG_RUNTIME_DIR"]) / "steno"
    finals, lights = folder / "finals", folder / "lights"
    own = {"STENO_TEST_FINALS": str(finals), "STENO_TEST_LIGHTS": str(lights)}
    command = (sys.executable, "-m", PROGRAM, "dictate", "--settings", str(path), "--debug")
    process = screen.start(*command, environment=own)
    running = Dictating(place, finals, lights)
    wait_until(lambda: running.has_begun or process.poll() is not None, "the dictation")
    assert process.poll() is None
    try:
        yield running
    finally:
        assert screen.end(process) == 0
