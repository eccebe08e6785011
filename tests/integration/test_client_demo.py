"""`steno demo` shows the whole service and leaves nothing, also when it is interrupted."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.data import clip

STENO = Path(sys.executable).with_name("steno")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory for temporary files; its path is short because a Unix socket's must be."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


def start(temporary: Path) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STENO_", "STT_"))}
    return subprocess.Popen(
        [str(STENO), "demo", "--clip", str(clip("en_wizard").path)],
        env=clean | {"STENO_ENGINE": "scripted", "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_nothing_left(temporary: Path, said: str) -> None:
    assert list(temporary.glob("steno-*")) == []
    found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
    assert found
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(found[1]))).close()


@pytest.mark.slow
def test_a_clip_live_and_as_a_file(temporary: Path) -> None:
    with start(temporary) as process:
        out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    live, _, subtitles = out.partition("1\n00:00:")
    assert live.strip()
    assert " --> " in subtitles
    assert "\x1b" not in out + err
    assert_nothing_left(temporary, err)


def test_an_interruption_stops_everything(temporary: Path) -> None:
    with start(temporary) as process:
        assert process.stderr is not None
        said = ""
        while "live:" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert_nothing_left(temporary, said)


def test_a_clip_that_is_not_there_starts_nothing() -> None:
    done = subprocess.run(
        [str(STENO), "demo", "--clip", "none.wav"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("steno: none.wav: no such file")
