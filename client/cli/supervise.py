"""Runs child processes: starts them at once, starts one that dies again, stops them in order.

Each child is a family of its own (`shared.guard`), so that Ctrl-C in the terminal reaches the supervisor
alone, and nothing that a child started outlives it.
"""

import asyncio
import contextlib
import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from client.cli.restarts import RestartPolicy, Restarts
from shared.errors import Unavailable
from shared.guard import Guard, family, kill_family

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A process to run. `stop_s` is how long it may take to stop by itself."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    stop_s: float = 10.0


class Supervisor:
    """The children, in the order in which they are to be stopped."""

    def __init__(
        self,
        specs: Sequence[Spec],
        guard: Guard,
        *,
        hurry: asyncio.Event | None = None,
        policy: RestartPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hurry`, once set, means not to wait for children that stop slowly but to kill them."""
        self._specs = list(specs)
        self._guard = guard
        self._policy = policy or RestartPolicy()
        self._clock = clock
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._hurry = hurry or asyncio.Event()
        self._was_ready = False
        self._gave_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the children that run, by name."""
        return {name: process.pid for name, process in self._running.items()}

    async def start(self) -> None:
        """Start all, the last to be stopped first; then watch them."""
        for spec in reversed(self._specs):
            process = await self._spawn(spec)
            self._watchers[spec.name] = asyncio.create_task(self._keep(spec, process), name=spec.name)

    async def ready(self, check: Callable[[], bool], *, within_s: float) -> None:
        """Wait until `check`, which may block for a moment, is true.

        Raises `Unavailable` when a child will not stay up or the time has passed.
        """
        asking = asyncio.create_task(_until(check), name="ready")
        try:
            async with asyncio.timeout(within_s):
                await asyncio.wait({asking, self._gave_up}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise Unavailable(f"not ready after {within_s:.0f} s; the log above may say why") from None
        finally:
            asking.cancel()
        (self._gave_up if self._gave_up.done() else asking).result()
        self._was_ready = True

    async def stop(self) -> None:
        """Stop all in order. When this returns, no process is left."""
        for spec in self._specs:
            if (watcher := self._watchers.pop(spec.name, None)) is not None:
                watcher.cancel()
                await asyncio.wait({watcher})
            if (process := self._running.pop(spec.name, None)) is not None:
                await self._end(spec, process)
        self._gave_up.cancel()

    async def _spawn(self, spec: Spec) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *spec.command, env=spec.env, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self._running[spec.name] = process
        self._guard.add(process.pid)
        return process

    async def _keep(self, spec: Spec, process: asyncio.subprocess.Process) -> None:
        restarts = Restarts(self._policy)
        while True:
            started = self._clock()
            status = await process.wait()
            await self._clear(process.pid)
            del self._running[spec.name]
            delay_s = restarts.after(status, ran_s=self._clock() - started, was_ready=self._was_ready)
            if delay_s is None:
                return self._give_up(spec, status)
            _log.warning("%s ended with status %d; starting it again in %.1f s", spec.name, status, delay_s)
            await asyncio.sleep(delay_s)
            process = await self._spawn(spec)

    def _give_up(self, spec: Spec, status: int) -> None:
        if not self._gave_up.done():
            message = f"{spec.name} does not stay up (exit status {status}); the log above may say why"
            self._gave_up.set_exception(Unavailable(message))

    async def _end(self, spec: Spec, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            process.terminate()
        waits = {asyncio.create_task(process.wait()), asyncio.create_task(self._hurry.wait())}
        await asyncio.wait(waits, timeout=spec.stop_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if process.returncode is None:
            _log.warning("%s did not stop in time; killing it", spec.name)
        await self._clear(process.pid)
        await process.wait()

    async def _clear(self, leader: int) -> None:
        """End what is left of a family, its leader included."""
        if family(leader):
            await asyncio.to_thread(kill_family, leader)
        self._guard.remove(leader)


async def _until(check: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(check):  # noqa: ASYNC110 - the fact is in another process
        await asyncio.sleep(0.05)
