"""The supervisor starts children, starts them again, stops them in order, and leaves nothing, however it
ends itself."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from client.cli.restarts import RestartPolicy
from client.cli.server import ServerKeeper
from client.cli.supervise import Spec, Supervisor
from shared.errors import Unavailable
from shared.guard import Guard, end_families, family
from shared.redis.connection import connect_sync

QUICK = RestartPolicy(first_s=0.01, max_s=0.05, failures_max=3)

# Each appends to the file in LOG: "<name> up" when it runs, and "<name> down" when it stops in order.
GOOD = """
import os, signal, sys
def say(word):
    with open(os.environ["LOG"], "a") as log: log.write(sys.argv[1] + " " + word + "\\n")
def stop(*_):
    say("down"); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("up")
while True: signal.pause()
"""
STUBBORN = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0: os.setpgrp()
with open(os.environ["LOG"], "a") as log: log.write(f"{sys.argv[1]} {os.getpid()}\\n")
while True: signal.pause()
"""
FAILING = """
import os, sys
with open(os.environ["LOG"], "a") as log: log.write(sys.argv[1] + " up\\n")
sys.exit(int(sys.argv[2]))
"""


def wait_until(condition: Callable[[], bool], description: str) -> None:
    """Poll for a fact; the limit only bounds a failing test."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"never: {description}"
        time.sleep(0.01)


async def until(condition: Callable[[], bool], description: str) -> None:
    await asyncio.to_thread(wait_until, condition, description)


class Log:
    """What the children said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("")

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def has(self, *lines: str) -> Callable[[], bool]:
        return lambda: set(lines) <= set(self.lines())

    def spec(self, name: str, script: str, *args: str, stop_s: float = 20.0) -> Spec:
        command = (sys.executable, "-c", script, name, *args)
        return Spec(name=name, command=command, env=os.environ | {"LOG": str(self.path)}, stop_s=stop_s)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@contextlib.asynccontextmanager
async def supervised(
    specs: Sequence[Spec], *, hurry: asyncio.Event | None = None
) -> AsyncIterator[Supervisor]:
    """A supervisor whose children are known to be gone afterwards."""
    guard = Guard()
    supervisor = Supervisor(specs, guard, hurry=hurry, policy=QUICK)
    seen: set[int] = set()
    try:
        await supervisor.start()
        seen |= set(supervisor.pids.values())
        yield supervisor
        seen |= set(supervisor.pids.values())
    finally:
        await supervisor.stop()
        await asyncio.to_thread(guard.close)
    assert not [pid for leader in seen for pid in family(leader)]


def test_children_stop_in_the_order_of_the_list(log: Log) -> None:
    async def main() -> None:
        names = ["edge", "jobs", "worker"]
        async with supervised([log.spec(name, GOOD) for name in names]):
            await until(log.has(*(f"{name} up" for name in names)), "all up")
        assert log.lines()[3:] == [f"{name} down" for name in names]

    asyncio.run(main())


def test_a_child_that_is_killed_is_started_again(log: Log) -> None:
    async def main() -> None:
        async with supervised([log.spec("a", GOOD), log.spec("b", GOOD)]) as supervisor:
            await until(log.has("a up", "b up"), "both up")
            await supervisor.ready(lambda: True, within_s=30)
            first = supervisor.pids
            os.kill(first["a"], signal.SIGKILL)
            await until(lambda: log.lines().count("a up") == 2, "a up again")
            assert supervisor.pids["b"] == first["b"]
            assert supervisor.pids["a"] != first["a"]

    asyncio.run(main())


def test_what_a_killed_child_had_started_is_gone_before_it_starts_again(log: Log) -> None:
    async def main() -> None:
        async with supervised([log.spec("a", STUBBORN, stop_s=0.1)]) as supervisor:
            await until(lambda: len(log.lines()) == 2, "the child and its own child up")
            leader = supervisor.pids["a"]
            assert len(family(leader)) == 2
            os.kill(leader, signal.SIGKILL)
            await until(lambda: len(log.lines()) == 4, "started again")
            assert family(leader) == []

    asyncio.run(main())


def test_children_that_do_not_stop_are_killed_with_all_they_started(log: Log) -> None:
    async def main() -> None:
        async with supervised([log.spec("a", STUBBORN, stop_s=0.1)]):
            await until(lambda: len(log.lines()) == 2, "the child and its own child up")

    asyncio.run(main())


def test_hurry_does_not_wait_for_slow_children(log: Log) -> None:
    async def main() -> None:
        hurry = asyncio.Event()
        async with supervised([log.spec("a", STUBBORN, stop_s=3_600)], hurry=hurry):
            await until(lambda: len(log.lines()) == 2, "the child and its own child up")
            hurry.set()

    asyncio.run(main())


@pytest.mark.parametrize(("status", "starts"), [(1, QUICK.failures_max), (2, 1)])
def test_a_child_that_will_not_stay_up_ends_the_wait(log: Log, status: int, starts: int) -> None:
    async def main() -> None:
        async with supervised([log.spec("good", GOOD), log.spec("bad", FAILING, str(status))]) as supervisor:
            with pytest.raises(Unavailable, match=f"bad does not stay up .exit status {status}"):
                await supervisor.ready(lambda: False, within_s=60)
        assert log.lines().count("bad up") == starts

    asyncio.run(main())


def test_the_wait_has_an_end(log: Log) -> None:
    async def main() -> None:
        async with supervised([log.spec("a", GOOD)]) as supervisor:
            with pytest.raises(Unavailable, match="not ready"):
                await supervisor.ready(lambda: False, within_s=0.01)

    asyncio.run(main())


def test_a_program_that_is_not_there_leaves_nothing(log: Log) -> None:
    async def main() -> None:
        missing = Spec(name="none", command=("/nonexistent/program",), env={})
        with pytest.raises(FileNotFoundError):
            async with supervised([missing, log.spec("a", GOOD)]):
                pass

    asyncio.run(main())


_ORPHANS = """
import asyncio, sys
from client.cli.supervise import Spec, Supervisor
from shared.guard import Guard
async def main():
    specs = [Spec(name=str(n), command=(sys.executable, "-c", sys.argv[1], "x"), env=None) for n in range(2)]
    supervisor = Supervisor(specs, Guard())
    await supervisor.start()
    print(*supervisor.pids.values(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_children_end_when_the_supervisor_is_killed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG", str(log.path))
    with subprocess.Popen(
        [sys.executable, "-c", _ORPHANS, GOOD], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as supervisor:
        assert supervisor.stdout is not None
        leaders = [int(word) for word in supervisor.stdout.readline().split()]
        try:
            assert len(leaders) == 2
            wait_until(lambda: log.lines().count("x up") == 2, "both up")
            os.killpg(supervisor.pid, signal.SIGKILL)
            wait_until(lambda: not any(family(leader) for leader in leaders), "all gone")
        finally:
            end_families(leaders, grace_s=0)
    assert log.lines().count("x down") == 2, "asked to stop, not killed"


def test_the_guard_ends_the_last_only_after_the_others(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG", str(log.path))
    guard = Guard()
    with contextlib.ExitStack() as children:
        for name in ("server", "edge"):
            child = subprocess.Popen([sys.executable, "-c", GOOD, name], start_new_session=True)
            children.callback(child.wait)
            guard.add(child.pid, last=name == "server")
        wait_until(log.has("server up", "edge up"), "both up")
        guard.close()
    assert log.lines()[2:] == ["edge down", "server down"]


def test_the_guard_leaves_alone_what_was_removed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG", str(log.path))
    guard = Guard()
    child = subprocess.Popen([sys.executable, "-c", GOOD, "a"], start_new_session=True)
    try:
        guard.add(child.pid)
        wait_until(log.has("a up"), "up")
        guard.remove(child.pid)
        guard.close()
        assert child.poll() is None
    finally:
        child.terminate()
        child.wait()


def test_the_embedded_server_is_started_again_at_the_same_address_with_its_data(tmp_path: Path) -> None:
    async def main() -> None:
        guard = Guard()
        server = ServerKeeper(tmp_path / "data", guard)
        await server.start()
        client = connect_sync(server.url)
        try:
            client.set("kept", "1")
            client.execute_command("WAITAOF", 1, 0, 10_000)
            first = server.pid
            os.kill(first, signal.SIGKILL)
            await until(lambda: server.pid != first, "a new server")
            assert client.get("kept") == b"1"
        finally:
            client.close()
            await server.stop()
            await asyncio.to_thread(guard.close)
        assert family(server.pid) == []

    asyncio.run(main())
