"""What goes wrong in a run: drawn from a seed, so that a run can be had again."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from tests.chaos.harness import Member, Stack

DEATHS_MAX: Final = 2
"""Workers that a run may lose: a session that loses three owners at one place is set aside, by design."""


class Injector:
    """Disturbs a stack. `done` says what was done, for the report of a failing run."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._random = random.Random(seed)
        self._deaths = 0
        self.done: list[str] = []

    async def disturb(self, count: int) -> None:
        """So many disturbances, with pauses between."""
        for _ in range(count):
            await asyncio.sleep(self._random.uniform(0.1, 0.8))
            await self._one()

    async def _one(self) -> None:
        deadly: list[Callable[[], Awaitable[str]]] = [self._kill, self._freeze, self._silence_worker]
        mild: list[Callable[[], Awaitable[str]]] = [
            self._terminate,
            self._restart_redis,
            self._cut,
            self._delay,
        ]
        choices = mild + (deadly if self._deaths < DEATHS_MAX else [])
        action = self._random.choice(choices)
        self._deaths += action in deadly
        self.done.append(await action())

    def _worker(self) -> Member:
        return self._random.choice(self._stack.workers)

    def _any(self) -> Member:
        return self._random.choice(list(self._stack.members.values()))

    async def _kill(self) -> str:
        member = self._worker()
        member.process.kill()
        return f"kill {member.name}"

    async def _terminate(self) -> str:
        member = self._worker()
        member.process.send_signal(signal.SIGTERM)
        return f"SIGTERM {member.name}"

    async def _freeze(self) -> str:
        member, for_s = self._worker(), self._random.uniform(0.5, 3.0)
        member.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        member.process.send_signal(signal.SIGCONT)
        return f"SIGSTOP {member.name} for {for_s:.1f} s"

    async def _restart_redis(self) -> str:
        await asyncio.to_thread(self._stack.service.restart_redis)
        return "restart Redis"

    async def _cut(self) -> str:
        member = self._any()
        member.proxy.cut()
        return f"cut {member.name} from Redis"

    async def _delay(self) -> str:
        member, delay_s = self._any(), self._random.uniform(0.02, 0.15)
        member.proxy.delay_s = delay_s
        await asyncio.sleep(1.0)
        member.proxy.delay_s = 0.0
        return f"delay {member.name} by {1000 * delay_s:.0f} ms"

    async def _silence_worker(self) -> str:
        member, for_s = self._worker(), self._random.uniform(0.5, 3.0)
        member.proxy.silent = True
        await asyncio.sleep(for_s)
        # What was swallowed is gone; a connection that went on behind it would be no TCP.
        member.proxy.cut()
        member.proxy.silent = False
        return f"silence {member.name} for {for_s:.1f} s"
