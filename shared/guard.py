"""Child processes that never outlive their supervisor.

A family is a child that was started in a kernel session of its own (`start_new_session=True`) and all that
it starts in turn; forks and new process groups stay in it, also when the child itself is gone. So a family
is named by its leader's process id, and ending it leaves nothing.

`Guard` is the answer to `kill -9` of the supervisor: a small process that reads the supervisor's list of
families from a pipe. The pipe closes when the supervisor ends, however it ends, and the guard then ends
every family that is still on the list. It needs no help from the children and works on any POSIX kernel.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import IO, Final

import psutil

GRACE_S: Final = 10.0
"""How long an orphaned family may take to end by itself; a worker finishes its decode in this time."""
_KILL_S_MAX: Final = 10.0
_LOOK_EVERY_S: Final = 0.05


def family(leader: int) -> list[int]:
    """Process ids of the living members, zombies left out."""
    return [pid for pid in psutil.pids() if _session_of(pid) == leader and not _is_zombie(pid)]


def kill_family(leader: int) -> None:
    """Kill every member now."""
    # Again until none is left: a member may fork between the look and the kill. Not for ever: a process that
    # hangs in a device driver can't be killed by anyone.
    deadline = time.monotonic() + _KILL_S_MAX
    while (members := family(leader)) and time.monotonic() < deadline:
        for pid in members:
            _signal(pid, signal.SIGKILL)
        time.sleep(_LOOK_EVERY_S)


def end_families(leaders: Iterable[int], *, grace_s: float = GRACE_S) -> None:
    """Ask the leaders to stop, all at once, and kill what is left of the families after `grace_s`."""
    leaders = list(leaders)
    for leader in leaders:
        if leader in family(leader):
            _signal(leader, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while any(family(leader) for leader in leaders) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    for leader in leaders:
        kill_family(leader)


class Guard:
    """The supervisor's handle on its guard process."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "shared.guard"]
        # A session of its own: neither Ctrl-C nor a kill of the supervisor's group reaches it.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def add(self, leader: int, *, last: bool = False) -> None:
        """Guard this family. Those that are `last` are ended when the others are gone."""
        self._tell(f"{'last' if last else 'add'} {leader}")

    def remove(self, leader: int) -> None:
        """The family has ended; its number may soon be another's."""
        self._tell(f"remove {leader}")

    def close(self) -> None:
        """End the guard, which ends what is still on its list. Idempotent."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # the guard was killed
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # Without the guard, if it was killed, the supervisor's own stopping still works.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def _watch(pipe: IO[str]) -> None:
    """Keep the list until the pipe closes, then end what is on it."""
    listed: dict[int, str] = {}
    for line in pipe:
        verb, leader = line.split()
        if verb == "remove":
            listed.pop(int(leader), None)
        else:
            listed[int(leader)] = verb
    for verb in ("add", "last"):
        end_families(leader for leader, listed_as in listed.items() if listed_as == verb)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:  # gone, or not ours to ask
        return None


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


if __name__ == "__main__":
    _watch(sys.stdin)
