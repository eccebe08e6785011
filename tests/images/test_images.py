"""The images: what they weigh, what they may do, and the service that they make up,
with a worker that dies."""

import asyncio
import time
from dataclasses import dataclass

import httpx
import pytest

from shared.redis.connection import connect as connect_redis
from shared.redis.presence import Presence, WorkerPresence
from shared.tasks import end_tasks
from tests.images.conftest import KEY, MODEL, Images
from tests.images.speaking import speak
from tests.support.accuracy import wer
from tests.support.containers import HARDENED, VALKEY_IMAGE, Containers
from tests.support.data import clip
from tests.support.marked import talk
from tests.support.service import free_port

pytestmark = [pytest.mark.images, pytest.mark.anyio, pytest.mark.timeout(2400)]

EDGE_BYTES_MAX, WORKER_BYTES_MAX = 250_000_000, 700_000_000
WAIT_S_MAX = 120.0
PACE = 2.0
"""Times real time."""


@dataclass(frozen=True)
class Stack:
    """Valkey, an edge and a worker, each in a container."""

    containers: Containers
    images: Images
    redis_url: str
    port: int
    edge: str
    worker: str

    @property
    def url(self) -> str:
        """Where the edge is, over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def start_edge(self, name: str, port: str) -> str:
        """An edge; returns its container's name."""
        return self.containers.run(
            name, self.images.api, options=HARDENED, redis_url=self.redis_url, port=port,
            api_keys=f"acme:{KEY}",
        )  # fmt: skip

    def start_worker(self, name: str, **settings: str) -> str:
        """Another worker; returns its container's name."""
        port = str(free_port())
        return self.containers.run(
            name, self.images.worker, options=HARDENED, redis_url=self.redis_url, metrics_port=port,
            metrics_host="127.0.0.1", drain_s="2", **settings,
        )  # fmt: skip

    async def wait_for_workers(self, *names: str) -> list[WorkerPresence]:
        """Wait until exactly these say that they live."""
        client = connect_redis(self.redis_url)
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while True:
                    found = await Presence(client).workers()
                    if sorted(w.worker.rsplit("-", 2)[0] for w in found) == sorted(names):
                        return found
                    await asyncio.sleep(0.1)
        finally:
            await client.aclose()


@pytest.fixture(scope="module")
def stack(containers: Containers, images: Images) -> Stack:
    """With real weights."""
    return start(containers, images, "first")


def start(containers: Containers, images: Images, worker: str, **settings: str) -> Stack:
    """Valkey, an edge and a worker of that name, healthy."""
    redis_port, port = free_port(), free_port()
    containers.run(
        f"valkey-{worker}", VALKEY_IMAGE, "valkey-server", "--port", str(redis_port), "--bind", "127.0.0.1",
        "--save", "", options=("--network=host",),
    )  # fmt: skip
    redis_url = f"redis://127.0.0.1:{redis_port}"
    bare = Stack(containers, images, redis_url, port, "", "")
    names = bare.start_edge(f"edge-{worker}", str(port)), bare.start_worker(worker, **settings)
    for name in names:
        containers.wait_until_healthy(name)
    return Stack(containers, images, redis_url, port, *names)


def test_they_weigh_no_more_than_they_may(containers: Containers, images: Images) -> None:
    edge, worker = (int(containers.inspect(tag)["Size"]) for tag in (images.api, images.worker))
    sizes = "sum(p.stat().st_size for p in Path('/models').rglob('*') if p.is_file())"
    weights = f"from pathlib import Path; print({sizes})"
    done = containers.call("run", "--rm", images.worker, "python", "-c", weights)
    without = worker - int(done.stdout)
    print(
        f"edge {edge / 1e6:.0f} MB, worker {without / 1e6:.0f} MB and {int(done.stdout) / 1e6:.0f} MB weights"
    )
    assert edge <= EDGE_BYTES_MAX
    assert without <= WORKER_BYTES_MAX


def test_it_is_said_how_long_a_worker_takes(stack: Stack) -> None:
    port = free_port()
    began = time.monotonic()
    name = stack.containers.run(
        "timed", stack.images.worker, options=HARDENED, redis_url=stack.redis_url, metrics_port=str(port),
        metrics_host="127.0.0.1",
    )  # fmt: skip
    while not is_ready(f"http://127.0.0.1:{port}/readyz"):
        assert time.monotonic() < began + WAIT_S_MAX, stack.containers.logs(name)
        time.sleep(0.02)
    print(f"worker with {MODEL} ready {time.monotonic() - began:.2f} s after its container was asked for")
    assert stack.containers.end(name) == 0


def test_nobody_is_root_and_nothing_can_be_written(stack: Stack) -> None:
    for name in (stack.edge, stack.worker):
        who = stack.containers.python(name, "import os; print(os.getuid(), os.getgid())")
        assert who.stdout.split() == ["10001", "10001"]
        for place in ("/", "/opt/steno", "/home/steno", "/etc"):
            refused = stack.containers.python(name, f"open({place + '/new'!r}, 'w')")
            assert "Read-only file system" in refused.stderr
        assert stack.containers.call("exec", name, "sh", "-c", "true", check=False).returncode
        assert stack.containers.call("exec", name, "/bin/sh", "-c", "true", check=False).returncode


def test_they_say_what_is_in_them(stack: Stack) -> None:
    for name in (stack.edge, stack.worker):
        code = "import json; print(*[c['name'] for c in json.load(open('/sbom.json'))['components']])"
        assert {"steno", "redis", "libc6"} <= set(stack.containers.python(name, code).stdout.split())


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


async def test_a_real_clip_is_transcribed(stack: Stack) -> None:
    await stack.wait_for_workers("first")
    assert wer(clip("en_stew").text, await speak(stack.url, clip("en_stew").pcm16(), pace=PACE)) < 0.3
    async with httpx.AsyncClient(base_url=stack.url) as http:
        ready = (await http.get("/readyz")).json()
    assert (ready["status"], ready["workers"]) == ("ready", 1)


async def test_another_worker_goes_on_when_one_is_killed(containers: Containers, images: Images) -> None:
    marked = {"engine": "scripted", "model": "marks"}
    own = await asyncio.to_thread(start, containers, images, "one", **marked)
    workers = {"one": own.worker, "two": own.start_worker("two", **marked)}
    await own.wait_for_workers("one", "two")
    said = talk()
    speaking = asyncio.create_task(speak(own.url, said.pcm16, pace=PACE))
    try:
        holder = await _holder(own)
        await asyncio.sleep(said.duration_s / PACE / 3)  # in mid-speech; nothing is asserted about the moment
        assert await asyncio.to_thread(containers.end, workers.pop(holder), kill=True) == 137
        assert (await speaking).split() == list(said.words), "every word, once, in order"
        await own.wait_for_workers(*workers)
    finally:
        await end_tasks([speaking])


async def _holder(stack: Stack) -> str:
    """The name of the worker that has a session."""
    client = connect_redis(stack.redis_url)
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                if found := [w for w in await Presence(client).workers() if w.active]:
                    return found[0].worker.rsplit("-", 2)[0]
                await asyncio.sleep(0.05)
    finally:
        await client.aclose()


def test_an_edge_that_all_can_reach_does_not_start_without_keys(
    containers: Containers, images: Images
) -> None:
    done = containers.call(
        "run", "--rm", *HARDENED, "-e", "STENO_REDIS_URL=redis://127.0.0.1:1", images.api, check=False
    )
    assert done.returncode == 2
    assert "STENO_API_KEYS" in done.stderr + done.stdout


async def test_they_stop_when_they_are_told_to(stack: Stack) -> None:
    last = stack.start_worker("last")
    stack.containers.wait_until_healthy(last)
    await stack.wait_for_workers("first", "last")
    assert stack.containers.end(last) == 0
    edge = stack.start_edge("another", str(free_port()))
    stack.containers.wait_until_healthy(edge)
    assert stack.containers.end(edge) == 0
