"""`GET /v1/system` and `steno top` against a running service."""

import asyncio
import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from client import StreamOptions, Watch, connect, sync
from shared.system import HISTORY_S, SESSION_ID_CHARS
from tests.support.line import line_to
from tests.support.service import Service
from tests.support.speech import spoken
from tests.support.watching import WAIT_S_MAX, seen

pytestmark = pytest.mark.anyio

STENO = Path(sys.executable).with_name("steno")


async def text_at(url: str) -> str:
    """What a server answers."""
    async with httpx.AsyncClient() as http:
        return (await http.get(url)).text


async def test_a_session_is_seen_from_outside_while_it_lives(service: Service) -> None:
    async with (
        Watch(service.url) as watch,
        connect(service.ws_url, options=StreamOptions(language="en")) as session,
    ):
        await session.send(spoken("en_quilter", gap_s=0.1))
        short = session.ready.session[:SESSION_ID_CHARS]
        found = await seen(watch, lambda s: any(row.id == short and row.audio_s for row in s.sessions))
        (row,) = [row for row in found.sessions if row.id == short]
        assert (row.surface, row.tenant) == ("native", "")
        assert row.state in ("speaking", "quiet")
        assert 0 <= row.age_s < WAIT_S_MAX
        assert found.scope == "all"
        assert found.fleet is not None
        assert row.worker in [worker.id for worker in found.fleet.workers]
        await session.end()
        text = [event.text async for event in session if event.type == "final"]

        over = await seen(watch, lambda s: all(row.id != short for row in s.sessions))
        over = await seen(watch, lambda s: s.fleet is not None and s.fleet.minute.words > 0)
        assert over.fleet is not None
        minute = over.fleet.minute
        assert minute.word_p50_s is not None
        assert 0 < minute.word_p50_s <= (minute.word_p95_s or 0)
        assert sum(minute.batch_sizes.values()) > 0
        whole = await text_at(f"{service.url}/v1/system")
        assert session.ready.session not in whole
        assert text
        assert not [word for word in " ".join(text).split() if len(word) > 4 and f'"{word}"' in whole]


async def test_the_history_goes_on_where_the_last_look_ended(service: Service) -> None:
    async with Watch(service.url) as watch:
        first = await seen(watch, lambda s: bool(s.fleet and s.fleet.history))
        assert first.fleet is not None
        newest = first.fleet.history[-1].at
        again = json.loads(await text_at(f"{service.url}/v1/system?after={newest}&sessions=0"))
        assert min(sample["at"] for sample in again["fleet"]["history"]) == newest
        assert again["sessions"] == []
        second = await watch.look()
        assert second.fleet is not None
        times = [sample.at for sample in second.fleet.history]
        assert times == sorted(set(times))
        assert times[-1] - times[0] <= HISTORY_S
    with sync.Watch(service.url) as twin:
        assert twin.look().scope == "all"


@pytest.mark.parametrize("query", ["after=-1", "after=x", "sessions=1001"])
def test_a_bad_query_is_a_400(service: Service, query: str) -> None:
    answer = httpx.get(f"{service.url}/v1/system?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_parameter"


def steno(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(STENO), *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def test_top_in_a_pipe_shows_it_once_without_colour(service: Service) -> None:
    plain = steno("top", STENO_URL=service.url, FORCE_COLOR="1")
    assert plain.returncode == 0, plain.stderr
    assert "1 worker" in plain.stdout
    assert "\x1b" not in plain.stdout
    assert "…" not in plain.stdout  # no line is cut
    found = json.loads(steno("top", "--json", STENO_URL=service.url).stdout)
    assert found["fleet"]["capacity"] == 64


def test_top_without_a_server_is_one_line(service: Service) -> None:
    done = steno("top", STENO_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("steno: can't reach http://127.0.0.1:1")
    assert done.stderr.count("\n") == 1


class Terminal:
    """`steno top` on a terminal of its own."""

    def __init__(self, url: str) -> None:
        self._fd, other = pty.openpty()
        self._process = subprocess.Popen(
            [str(STENO), "top"],
            env=os.environ | {"STENO_URL": url, "TERM": "xterm", "COLUMNS": "110", "LINES": "30"},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self._output = ""

    def until(self, word: str) -> None:
        """Read until it has drawn a word."""
        deadline = time.monotonic() + WAIT_S_MAX
        while word not in self._output:
            assert time.monotonic() < deadline, self._output[-2000:]
            self._read()

    def press(self, key: str) -> None:
        """Type a key."""
        os.write(self._fd, key.encode())

    def status(self) -> int:
        """Wait for its end."""
        deadline = time.monotonic() + WAIT_S_MAX
        while (status := self._process.poll()) is None:
            self._read()
            if time.monotonic() > deadline:
                self._process.kill()
        os.close(self._fd)
        return status

    def _read(self) -> None:
        if select.select([self._fd], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):  # as Linux says that nobody is there any more
                self._output += os.read(self._fd, 65536).decode(errors="replace")


async def test_top_on_a_terminal_outlives_a_lost_server_and_ends_at_q(service: Service) -> None:
    async with line_to(service.url) as line:
        terminal = await asyncio.to_thread(Terminal, line.url)
        await asyncio.to_thread(terminal.until, "1 worker")
        line.target = "http://127.0.0.1:1"
        line.cut()
        await asyncio.to_thread(terminal.until, "Trying again")
        terminal.press("q")
        assert await asyncio.to_thread(terminal.status) == 0
