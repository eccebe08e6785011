"""The examples of the SDK do what they say, and docs/sdk.md shows them as they are."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

import client
import client.sync
import shared.errors
from client.examples import (
    errors,
    file_job,
    file_job_sync,
    live_file,
    live_microphone,
    live_sync,
    lost_connection,
    watch,
)
from shared.errors import StenoError
from shared.events import Event
from tests.support.data import DATA_DIR
from tests.support.line import line_to
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

ROOT = Path(client.__file__).parents[1]
CLIP = str(DATA_DIR / "en_years.ogg")


@pytest.fixture
def microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hears a clip and is unplugged then."""

    class PortAudioError(Exception):
        pass

    class RawInputStream:
        def __init__(self, **_asked: Any) -> None:
            self._heard = spoken("en_quilter", gap_s=0.3)

        def __enter__(self) -> "RawInputStream":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, frames: int) -> tuple[bytes, bool]:
            if not self._heard:
                raise PortAudioError("unplugged")
            read, self._heard = self._heard[: 2 * frames], self._heard[2 * frames :]
            return read, False

    device = SimpleNamespace(RawInputStream=RawInputStream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", device)


async def test_live_from_a_microphone(
    service: Service, microphone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    await live_microphone.main(service.url)
    said = capsys.readouterr()
    assert len(said.out.split()) > 3
    assert "unplugged" in said.err


@pytest.mark.slow
async def test_live_from_a_file(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    await live_file.main(CLIP, service.url)
    *finals, whole = capsys.readouterr().out.splitlines()
    assert finals
    assert whole.split() == [word for line in finals for word in line.split()[1:]]


@pytest.mark.slow
def test_live_without_async(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    live_sync.main(CLIP, service.url)
    assert capsys.readouterr().out.split()


def test_a_microphone_without_async(microphone: None) -> None:
    heard: list[bytes] = []
    with pytest.raises(client.Unavailable, match="unplugged"):
        heard.extend(client.sync.microphone())
    assert b"".join(heard) == spoken("en_quilter", gap_s=0.3)


async def test_a_job_with_progress(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    await file_job.main(CLIP, service.url)
    said = capsys.readouterr().out
    assert "finished\n1\n00:00:" in said


def test_a_job_without_async(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    file_job_sync.main(CLIP, service.url)
    lines = capsys.readouterr().out.splitlines()
    assert "finished 100%" in lines
    assert [line for line in lines if line and not line.endswith("%")]


async def test_what_is_heard_of_a_lost_connection(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with line_to(service.url) as line:
        heard = lost_connection.media_file
        cuts = iter([5])

        async def cut_in_the_middle(path: str) -> Any:
            number = 0
            cut = next(cuts)
            async for chunk in heard(path, speed=0.0):
                number += 1
                if number == cut:
                    line.cut()
                yield chunk

        monkeypatch.setattr(lost_connection, "media_file", cut_in_the_middle)
        await lost_connection.main(CLIP, line.url)
    said = capsys.readouterr().out
    assert said.index("lost: ") < said.index("nothing was lost")
    assert len(said.splitlines()) > 2


async def test_errors_are_told_apart(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "talk.mp3"
    broken.write_bytes(b"no audio at all" * 100)
    assert await errors.main(CLIP, service.url)
    assert "no audio" in await errors.main(str(broken), service.url)
    monkeypatch.setattr(errors, "ATTEMPTS", 1)
    assert (await errors.main(CLIP, "http://127.0.0.1:1")).startswith("not now: can't reach")


def test_watching(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    watch.main(service.url)
    assert "of 64 sessions" in capsys.readouterr().out


def test_the_document_shows_the_examples_as_they_are() -> None:
    document = (ROOT / "docs" / "sdk.md").read_text()
    programs = {path: path.read_text() for path in (ROOT / "client" / "examples").glob("*.py")}
    blocks = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        assert any(block in text for text in programs.values()), block
    for path in programs:
        assert path.stem == "__init__" or f"client/examples/{path.name}" in document


def test_everything_that_the_sdk_gives_or_raises_can_be_imported_from_it() -> None:
    internal = {"Superseded", "DeviceFault", "MustResume"}
    errors_known = {
        name
        for name, cls in vars(shared.errors).items()
        if isinstance(cls, type) and issubclass(cls, StenoError) and name not in internal
    }
    events = {cls.__name__ for cls in get_args(Event)} - {"Error"}  # that one is raised
    assert errors_known | events <= set(client.__all__)
    assert all(hasattr(client, name) for name in client.__all__)
