"""The pods of deploy/kubernetes in a container engine: they start with the rights that they ask for, their
probes tell the truth, and a worker's pod that is deleted while people speak takes no word with it."""

import asyncio
import shutil
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from shared.redis.connection import connect as connect_redis
from shared.redis.presence import Presence
from shared.tasks import end_tasks
from tests.images.conftest import KEY, Images
from tests.images.speaking import speak
from tests.support.accuracy import wer
from tests.support.containers import VALKEY_IMAGE, Containers, subnet
from tests.support.data import clip
from tests.support.kubernetes import Node, Pod, render
from tests.support.marked import talk

pytestmark = [
    pytest.mark.images,
    pytest.mark.anyio,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here to render the manifests with"),
    pytest.mark.skipif(not shutil.which("catatonit"), reason="no catatonit here, for the pods' pause"),
]

SUBNET = subnet()
REDIS_URL = f"redis://{SUBNET}.10:6379"
WAIT_S_MAX = 120.0
SCRIPTED = {"STENO_ENGINE": "scripted", "STENO_MODEL": "marks"}


@pytest.fixture
def node(containers: Containers, images: Images, tmp_path: Path) -> Generator[Node]:
    if containers.call("play", "kube", "--help", check=False).returncode:
        pytest.skip("this container engine plays no pods")
    tmp_path.chmod(0o755)
    node = Node(
        containers,
        render("single-gpu"),
        tmp_path,
        images={
            "steno-api": images.api, "steno-worker": images.worker, "docker.io/valkey/valkey": VALKEY_IMAGE,
        },
        secrets={
            "steno-secrets": {
                "redis-url": REDIS_URL, "api-keys": f"home:{KEY}\n", "token-secret": "of this test alone",
            }
        },
        subnet=SUBNET,
    )  # fmt: skip
    try:
        yield node
    finally:
        node.remove()


async def start(node: Node, workload: str, name: str, host: int) -> Pod:
    """A pod that has passed its startup probe and is ready."""
    pod = await asyncio.to_thread(node.start, workload, name, host)
    if "startupProbe" in pod.spec["containers"][0]:
        await node.until(pod, "startupProbe")
    await node.until(pod, "readinessProbe")
    return pod


async def test_they_transcribe_and_their_probes_tell_the_truth(node: Node, containers: Containers) -> None:
    valkey = await start(node, "valkey", "valkey", 10)
    edge = await asyncio.to_thread(node.start, "edge", "edge", 11)
    await node.until(edge, "livenessProbe")
    worker = await start(node, "worker", "worker", 12)
    await node.until(edge, "readinessProbe")
    for pod in (valkey, edge, worker):
        assert await node.probe(pod, "livenessProbe")
    for pod in (edge, worker):
        code = "import os; print(os.getuid(), os.getgid()); open('/new', 'w')"
        done = await asyncio.to_thread(containers.python, pod.container, code)
        assert done.stdout.split() == ["10001", "10001"]
        assert "Read-only file system" in done.stderr
        assert containers.inspect(pod.container)["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]

    url = f"http://{edge.address}:{edge.port('http')}"
    assert wer(clip("en_stew").text, await speak(url, clip("en_stew").pcm16(), pace=2.0)) < 0.3

    # Without a worker an edge is still of use, and has no room; without Redis it is of none.
    assert await asyncio.to_thread(node.delete, worker) == 0
    async with httpx.AsyncClient(base_url=url) as http:
        await until_status(http, "/readyz", 503)
    assert await node.probe(edge, "readinessProbe")
    assert await asyncio.to_thread(node.delete, valkey) == 0
    await node.until(edge, "readinessProbe", holds=False)
    assert await node.probe(edge, "livenessProbe"), "a restart would mend nothing"
    assert await asyncio.to_thread(node.delete, edge) == 0


async def until_status(http: httpx.AsyncClient, path: str, status: int) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while (await http.get(path)).status_code != status:  # noqa: ASYNC110 - the fact is elsewhere
            await asyncio.sleep(0.1)


async def test_a_workers_pod_is_deleted_while_people_speak(node: Node) -> None:
    node.settings |= SCRIPTED
    await start(node, "valkey", "valkey", 10)
    workers = {"one": await start(node, "worker", "one", 12), "two": await start(node, "worker", "two", 13)}
    edge = await start(node, "edge", "edge", 11)
    url = f"http://{edge.address}:{edge.port('http')}"
    talks = [talk(n) for n in range(4)]
    speaking = [asyncio.create_task(speak(url, said.pcm16, pace=2.0)) for said in talks]
    try:
        await until_active(len(talks))
        going = workers.pop("one")
        deleting = asyncio.create_task(asyncio.to_thread(node.delete, going))
        await node.until(going, "readinessProbe", holds=False)
        assert await deleting == 0, "it ended by itself, within its grace period"
        texts = await asyncio.gather(*speaking)
    finally:
        await end_tasks(speaking)
    assert [text.split() for text in texts] == [list(said.words) for said in talks]


async def until_active(sessions: int) -> None:
    """Wait until so many sessions are with workers, and each worker has some."""
    client = connect_redis(REDIS_URL)
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                active = [worker.active for worker in await Presence(client).workers()]
                if sum(active) == sessions and all(active):
                    return
                await asyncio.sleep(0.05)
    finally:
        await client.aclose()
