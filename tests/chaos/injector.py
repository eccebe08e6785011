"""What goes wrong in a run: drawn from a seed, so that a run can be had again."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tests.chaos.harness import Member, Stack
from tests.chaos.repeats import repeat_appends
from tests.support.clock import Clock
from tests.support.proxy import Proxy

DEATHS_MAX: Final = 2
"""Workers that a run may lose: a session that loses three owners at one place is set aside, by design."""

LEAP_PART: Final = 0.2
LEAP_S: Final = (-15.0, 60.0)
"""A worker that dies in the moment of a leap back is missed only after as long."""

STOP_S: Final = (0.5, 3.0)
SLOW_LINE_PART: Final = 0.2
SLOW_LINE_S: Final = (0.02, 0.2)

LONG_PART: Final = 0.25
LONG_STOP_S: Final = 5.0
"""A quarter of the stopped processes stay so for longer than all leases and signs of life last."""

Action = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What was done, and from when to when on this process's monotonic clock."""

    kind: str
    what: str
    began: float
    ended: float


class Injector:
    """Disturbs a stack. `done` says what was done, for the report of a failing run."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._random = random.Random(seed)
        # Apart from the others, so that a seed's other disturbances are what they were without it.
        self._leaps = random.Random(f"clock {seed}")
        self._stops = random.Random(f"long stop {seed}")
        self._slowness = random.Random(f"slow line {seed}")
        self._deaths = 0
        self.done: list[Disturbance] = []
        self.wrong: list[str] = []
        """What a disturbance itself found."""
        self._deadly: dict[str, Action] = {
            "worker killed": self._kill_worker,
            "worker stopped for up to 5 s": self._freeze_worker,
            "worker's network silent for up to 3 s": self._silence_worker,
        }
        self._mild: dict[str, Action] = {
            "worker terminated": self._terminate_worker,
            "Redis killed": self._restart_redis,
            "connections to Redis cut": self._cut,
            "connections to Redis slow": self._delay,
            "edge killed": self._kill_edge,
            "edge terminated": self._terminate_edge,
            "edge stopped for up to 5 s": self._freeze_edge,
            "client's line cut": self._cut_line,
            "client moved to the other edge": self._move_line,
            "client's line silent for up to 3 s": self._silence_line,
            "audio appended again, and out of order": self._repeat,
        }

    async def disturb(self, count: int, *, apart_s: tuple[float, float] = (0.1, 0.8)) -> None:
        """So many disturbances, with pauses between: at least and at most so long."""
        for _ in range(count):
            await asyncio.sleep(self._random.uniform(*apart_s))
            if self._stack.clock and self._leaps.random() < LEAP_PART:
                self._note("Redis's clock set", self._leap(self._stack.clock), time.monotonic())
            if self._slowness.random() < SLOW_LINE_PART:
                self._note("client's line slow from then on", self._slow_line(), time.monotonic())
            choices = self._mild | (self._deadly if self._deaths < DEATHS_MAX else {})
            kind = self._random.choice(list(choices))
            self._deaths += kind in self._deadly
            began = time.monotonic()
            self._note(kind, await choices[kind](), began)

    def _note(self, kind: str, what: str, began: float) -> None:
        self.done.append(Disturbance(kind, what, began, time.monotonic()))

    def _worker(self) -> Member:
        return self._random.choice(self._stack.workers)

    def _edge(self) -> Member:
        return self._random.choice(self._stack.edges)

    def _line(self) -> tuple[int, Proxy]:
        number = self._random.randrange(len(self._stack.lines))
        return number, self._stack.lines[number]

    def _any(self) -> Member:
        return self._random.choice(list(self._stack.members.values()))

    async def _kill_worker(self) -> str:
        member = self._worker()
        member.process.kill()
        return f"kill {member.name}"

    async def _terminate_worker(self) -> str:
        member = self._worker()
        member.process.send_signal(signal.SIGTERM)
        return f"SIGTERM {member.name}"

    async def _freeze_worker(self) -> str:
        return await self._freeze(self._worker())

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
        member = self._worker()
        return f"silence {member.name} for {await self._silence(member.proxy):.1f} s"

    async def _kill_edge(self) -> str:
        edge = self._edge()
        edge.process.kill()
        return f"kill {edge.name}, {self._move_some(edge)} clients to the other"

    async def _terminate_edge(self) -> str:
        edge = self._edge()
        edge.process.send_signal(signal.SIGTERM)
        return f"SIGTERM {edge.name}, {self._move_some(edge)} clients to the other"

    async def _freeze_edge(self) -> str:
        """The edge wakes up with clients that have come back elsewhere, and does not know it."""
        edge = self._edge()
        moved = 0

        def move() -> None:
            nonlocal moved
            moved = self._move_some(edge)

        asyncio.get_running_loop().call_later(self._random.uniform(0.05, 0.4), move)
        frozen = await self._freeze(edge)
        return f"{frozen}, {moved} clients to the other"

    async def _cut_line(self) -> str:
        number, line = self._line()
        line.cut()
        return f"cut line {number}"

    async def _move_line(self) -> str:
        number, line = self._line()
        edge = self._edge()
        self._stack.lead(line, edge)
        return f"line {number} to {edge.name}"

    async def _silence_line(self) -> str:
        number, line = self._line()
        return f"silence line {number} for {await self._silence(line):.1f} s"

    def _slow_line(self) -> str:
        """Until the end of the run, whatever else befalls it."""
        number = self._slowness.randrange(len(self._stack.lines))
        delay_s = self._stack.lines[number].delay_s = self._slowness.uniform(*SLOW_LINE_S)
        return f"delay line {number} by {1000 * delay_s:.0f} ms"

    def _leap(self, clock: Clock) -> str:
        by_s = self._leaps.uniform(*LEAP_S)
        clock.leap(by_s)
        return f"set Redis's clock by {by_s:+.0f} s"

    async def _repeat(self) -> str:
        appended, wrong = await repeat_appends(self._stack.service.redis.url, self._random)
        self.wrong += wrong
        return f"{appended} appends again"

    async def _freeze(self, member: Member) -> str:
        for_s = self._random.uniform(*STOP_S)
        if self._stops.random() < LONG_PART:
            for_s = LONG_STOP_S
        member.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        member.process.send_signal(signal.SIGCONT)
        return f"SIGSTOP {member.name} for {for_s:.1f} s"

    async def _silence(self, line: Proxy) -> float:
        for_s = self._random.uniform(*STOP_S)
        line.silent = True
        await asyncio.sleep(for_s)
        # What was swallowed is gone; a connection that went on behind it would be no TCP.
        line.cut()
        line.silent = False
        return for_s

    def _move_some(self, edge: Member) -> int:
        """Lead some of an edge's clients to the other one, at once; the rest wait for this one."""
        lines = [line for line in self._stack.lines if line.target == ("127.0.0.1", edge.port)]
        moved = [line for line in lines if self._random.random() < 0.5]
        for line in moved:
            self._stack.lead(line, self._stack.other(edge))
        return len(moved)
