"""The service as many processes, with a network between them that can be disturbed: embedded Valkey, two
edges, workers, and a line from each client. Whoever dies is started again, as a supervisor would.
"""

import asyncio
import contextlib
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from shared.codec import unpack_event
from shared.redis.keys import GROUP, Keys
from shared.redis.replies import stream_entries
from tests.conftest import leaked_keys
from tests.support.clock import Clock, can_leap
from tests.support.live import Message
from tests.support.proxy import Proxy
from tests.support.redis_client import client_of
from tests.support.service import Service, free_port

WAIT_S_MAX = 60.0
_SESSIONS = "steno_edge_sessions"


@dataclass
class Member:
    """One process, and its way to Redis."""

    name: str
    module: str
    proxy: Proxy
    port: int
    process: subprocess.Popen[bytes]


@dataclass
class Stack:
    """All of it. `members` are the processes by name; `deaths` counts those that were started again."""

    service: Service
    members: dict[str, Member] = field(default_factory=dict[str, Member])
    lines: list[Proxy] = field(default_factory=list[Proxy])
    """From clients to edges."""
    deaths: int = 0
    clock: Clock | None = None
    """That of Redis's machine, where it can be set."""

    @property
    def workers(self) -> list[Member]:
        """Device workers."""
        return [m for m in self.members.values() if m.module == "worker"]

    @property
    def edges(self) -> list[Member]:
        """Edges."""
        return [m for m in self.members.values() if m.module == "api"]

    def start(self, name: str, module: str, proxy: Proxy, port: int) -> None:
        """Start a process, or the same again."""
        own = {"STENO_REDIS_URL": proxy.redis_url, "STENO_PORT": str(port)}
        process = self.service.start(module, name=name, environment=own)
        self.members[name] = Member(name, module, proxy, port, process)

    async def keep_forever(self) -> None:
        """Start again whatever ended."""
        while True:
            for member in list(self.members.values()):
                if member.process.poll() is not None:
                    self.deaths += 1
                    self.start(member.name, member.module, member.proxy, member.port)
            await asyncio.sleep(0.1)

    async def calm(self) -> None:
        """End every disturbance, and wait until edges and workers are well."""
        for line in self.lines:
            line.delay_s, line.silent = 0.0, False
        for member in self.members.values():
            member.proxy.delay_s, member.proxy.silent = 0.0, False
            if member.process.poll() is None:
                member.process.send_signal(signal.SIGCONT)
        await asyncio.to_thread(self.service.wait_until_workers, len(self.workers))
        async with asyncio.timeout(WAIT_S_MAX):
            for edge in self.edges:
                while await asyncio.to_thread(_served, edge.port) < 0:  # noqa: ASYNC110 - in another process
                    await asyncio.sleep(0.1)

    def other(self, edge: Member) -> Member:
        """The edge that is not this one."""
        return next(e for e in self.edges if e.name != edge.name)

    def lead(self, line: Proxy, edge: Member) -> None:
        """Have a line lead to an edge, and break what runs over it."""
        line.lead_to(("127.0.0.1", edge.port))

    @contextlib.asynccontextmanager
    async def line_to(self, edge: Member) -> AsyncGenerator[Proxy]:
        """A client's way to an edge, and later perhaps to another."""
        async with Proxy(("127.0.0.1", edge.port)) as line:
            self.lines.append(line)
            try:
                yield line
            finally:
                self.lines.remove(line)

    async def logged(self, ready: Message) -> list[tuple[int, str]]:
        """A session's log in Redis: numbers and types of events."""
        async with client_of(self.service.redis.url) as client:
            key = Keys().session(ready["session"]).events
            entries = stream_entries([[key, await client.xrange(key)]])
            return [(int(i.split(b"-")[0]), unpack_event(fields[b"e"]).type) for i, fields in entries]

    async def leftovers(self) -> list[str]:
        """What a run must not leave in Redis and edges, once workers have had the time to settle."""
        deadline = time.monotonic() + WAIT_S_MAX
        async with client_of(self.service.redis.url) as client:
            while True:
                left = leaked_keys(self.service.redis.url)
                left += [key.decode() async for key in client.scan_iter(match="*:audio")]
                left += [f"{n} queued" for n in [await client.xlen(Keys().queue(0))] if n]
                pending = (await client.xpending(Keys().queue(0), GROUP))["pending"]
                left += [f"{pending} leases"] if pending else []
                for edge in self.edges:
                    if (served := await asyncio.to_thread(_served, edge.port)) != 0:
                        left.append(f"{edge.name} serves {served} clients")
                if not left or time.monotonic() > deadline:
                    return left
                await asyncio.sleep(0.1)

    def open_files(self) -> dict[str, int]:
        """Open file descriptors by process."""
        return {name: psutil.Process(m.process.pid).num_fds() for name, m in self.members.items()}


def _served(port: int) -> float:
    """Clients that an edge has; less than none when it does not say."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            lines = reply.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return -1.0
    return sum(float(line.split()[1]) for line in lines if line.startswith(f"{_SESSIONS}{{"))


@contextlib.asynccontextmanager
async def running(
    folder: Path, *, workers: int, engine: str = "scripted", model: str = "marks", **settings: str
) -> AsyncGenerator[Stack]:
    """Two edges and so many workers; stopped in order at the end, each with status 0."""
    clock = Clock(folder) if can_leap() else None
    service_at = Service.running(
        folder,
        engine=engine,
        model=model,
        modules=(),
        persistent=True,
        redis_environment=clock.environment if clock else None,
        **settings,
    )
    async with contextlib.AsyncExitStack() as stops:
        service = await asyncio.to_thread(service_at.__enter__)
        stops.push_async_callback(asyncio.to_thread, service_at.__exit__, None, None, None)
        stack = Stack(service, clock=clock)
        names = [("edge 1", "api"), ("edge 2", "api")] + [(f"worker {n}", "worker") for n in range(workers)]
        for name, module in names:
            proxy = await stops.enter_async_context(Proxy(service.redis.socket))
            stack.start(name, module, proxy, free_port())
        await asyncio.to_thread(service.wait_until_workers, workers)
        for edge in stack.edges:
            await asyncio.to_thread(service.wait_until_ready, port=edge.port)
        keeper = asyncio.create_task(stack.keep_forever(), name="keeper")
        try:
            yield stack
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await stack.calm()
            # In order, while the network still stands: the proxies live in this loop.
            for member in [*stack.edges, *stack.workers]:
                status = await asyncio.to_thread(service.end, member.name, signal.SIGTERM)
                assert status == 0, f"{member.name}: {status}"
