"""The whole service on a Redis Cluster of three masters, one of them with a replica."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from redis import ResponseError
from redis.cluster import key_slot

from client import Event, Final, Resume, Watch
from client import connect as connect_client
from shared.codec import pack_event
from shared.events import Warning
from shared.redis.connection import ConnectionLost, connect_sync
from shared.redis.keys import Keys
from shared.redis.live import LiveFeed
from tests.conftest import leaked_keys
from tests.support.cluster import Cluster, wait_until
from tests.support.data import clip
from tests.support.line import line_to
from tests.support.live import RawSession, raw_session
from tests.support.marked import Talk, talk
from tests.support.media import write_media
from tests.support.redis_client import client_of
from tests.support.service import Service
from tests.support.talking import check, say
from tests.support.watching import seen

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SHARDS = 8
KEYS = Keys(SHARDS)
PACE = 4.0
WAIT_S_MAX = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    with Cluster.running(tmp_path_factory.mktemp("cluster")) as running:
        yield running
        masters = [node.url for n, node in enumerate(running.nodes) if running.is_master(n)]
        assert [leaked_keys(url) for url in masters] == [[]] * len(masters)


@pytest.fixture(scope="module")
def own(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """An edge, two workers and a job worker; the server that `Service` starts is where RQ keeps jobs."""
    with Service.running(
        tmp_path_factory.mktemp("service"),
        engine="scripted",
        model="marks",
        modules=(),
        redis_url=cluster.url,
        shards=str(SHARDS),
        lease_s="0.5",
    ) as running:
        running.environment["STENO_JOBS_REDIS_URL"] = running.redis.url
        for module in ("api", "worker", "worker.jobs"):
            running.start(module)
        running.start("worker", name="second")
        running.wait_until_ready()
        running.wait_until_workers(2)
        yield running


@asynccontextmanager
async def sessions_on_every_node(own: Service, cluster: Cluster) -> AsyncGenerator[list[RawSession]]:
    """One on each master."""
    found: dict[int, RawSession] = {}
    async with AsyncExitStack() as opened:
        while len(found) < cluster.masters:
            session = await opened.enter_async_context(raw_session(own.ws_url))
            ready = await session.until("ready")
            node = cluster.master_of(KEYS.session(ready["session"]).state)
            if node in found:
                await session.say("end")
                await session.until_closed()
            found.setdefault(node, session)
        yield [found[node] for node in range(cluster.masters)]


async def speak_through(url: str, said: Talk) -> list[Event]:
    """A session of the SDK at a pace."""
    async with connect_client(url, resume=Resume(delay_s=0.05, delay_s_max=0.5)) as session:

        async def send() -> None:
            for i in range(0, len(said.pcm16), 3200):
                await session.send(said.pcm16[i : i + 3200])
                await asyncio.sleep(0.1 / PACE)
            await session.end()

        sending = asyncio.create_task(send())
        events = [event async for event in session]
        await sending
    assert events[-1].type == "closed"
    return events


def words(events: list[Event]) -> list[str]:
    return " ".join(event.text for event in events if isinstance(event, Final)).split()


async def test_sessions_live_on_every_node_and_announcements_stay_there(
    own: Service, cluster: Cluster
) -> None:
    talks = [talk(n) for n in range(cluster.masters)]
    async with sessions_on_every_node(own, cluster) as sessions:
        await asyncio.gather(*(say(*pair, pace=PACE) for pair in zip(sessions, talks, strict=True)))
    check(sessions, talks)
    assert all(session.of("partial") for session in sessions), "partials come by announcements alone"
    for node in (1, 2):  # an announcement of node 0 goes to its replica
        assert cluster.ask(node, "CLUSTER INFO")["cluster_stats_pubsub_bytes_sent"] == "0"


async def test_what_all_workers_do_is_seen_from_any_edge(own: Service) -> None:
    async with Watch(own.url) as watch, raw_session(own.ws_url) as session:
        ready = await session.until("ready")
        known = lambda s: s.fleet and len([w for w in s.fleet.workers if w.age_s is not None]) == 2  # noqa: E731
        found = await seen(watch, lambda s: known(s) and ready["session"][:8] in [r.id for r in s.sessions])
        assert found.fleet is not None
        assert found.fleet.capacity == sum(worker.capacity for worker in found.fleet.workers)
        assert found.fleet.jobs is not None
        await session.say("end")
        await session.until_closed()


async def test_a_client_that_is_cut_off_resumes(own: Service) -> None:
    said = talk()
    async with line_to(own.url) as line:
        speaking = asyncio.create_task(speak_through(line.url, said))
        for _ in range(3):
            await asyncio.sleep(0.7)
            line.cut()
        assert words(await speaking) == list(said.words)
        assert line.connections >= 3


async def test_sessions_of_a_dead_worker_go_on_at_the_other(own: Service, cluster: Cluster) -> None:
    talks = [talk(n) for n in range(cluster.masters)]
    async with sessions_on_every_node(own, cluster) as sessions:
        speaking = [asyncio.create_task(say(*pair, pace=PACE)) for pair in zip(sessions, talks, strict=True)]
        await asyncio.gather(*(until_speech(session) for session in sessions))
        await asyncio.to_thread(own.end, "second", signal.SIGKILL)
        await asyncio.gather(*speaking)
    check(sessions, talks)
    own.start("worker", name="second")
    await asyncio.to_thread(own.wait_until_workers, 2)


async def until_speech(session: RawSession) -> None:
    """Wait until a worker has heard something. Not for a partial: an edge that is behind leaves them out."""
    async with asyncio.timeout(WAIT_S_MAX):
        while not session.of("speech_start"):
            assert not session.of("error"), session.messages
            await asyncio.sleep(0.02)


async def test_a_file_is_transcribed_by_way_of_a_server_that_rq_can_use(
    own: Service, cluster: Cluster, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "talk.flac", clip("en_demo").samples())
    async with httpx.AsyncClient(base_url=own.url, trust_env=False) as http, asyncio.timeout(WAIT_S_MAX):
        answer = await http.post("/v1/jobs", files={"file": ("talk.flac", path.read_bytes())})
        assert answer.status_code == 202, answer.text
        address = f"/v1/jobs/{answer.json()['id']}"
        while (job := (await http.get(address)).json())["status"] in ("queued", "running"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert job["status"] == "finished", job
        assert (await http.get(f"{address}/result")).json()["duration"] > 0
        assert (await http.delete(address)).status_code == 204
    for node in range(cluster.masters):
        assert not [key for key in cluster.ask(node, "KEYS", "*") if key.startswith(b"rq:") or b":j:" in key]


async def test_without_such_a_server_jobs_are_refused_and_sessions_served(
    own: Service, cluster: Cluster
) -> None:
    own.environment["STENO_JOBS_REDIS_URL"] = ""
    edge = await asyncio.to_thread(own.start_edge, "edge without jobs")
    worker = own.start("worker.jobs", name="jobs without a server")
    try:
        async with httpx.AsyncClient(base_url=edge, trust_env=False) as http:
            answer = await http.post("/v1/jobs", files={"file": ("talk.flac", b"")})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert "STENO_JOBS_REDIS_URL" in answer.json()["error"]["message"]
            assert (await http.get("/readyz")).status_code == 200
        assert await asyncio.to_thread(worker.wait, WAIT_S_MAX) == 2
        assert "STENO_JOBS_REDIS_URL" in own.log.read_text()
    finally:
        own.environment["STENO_JOBS_REDIS_URL"] = own.redis.url
        del own.processes["jobs without a server"]
        await asyncio.to_thread(own.end, "edge without jobs", signal.SIGTERM)


async def test_announcements_are_heard_again_when_their_slot_went_to_another_node(cluster: Cluster) -> None:
    keys = Keys(SHARDS * 25)
    # Of a slot that is empty, on a node without a replica.
    session = next(
        s
        for s in map(str, range(1000))
        if keys.shard(s) >= SHARDS and cluster.master_of(keys.session(s).live) != 0
    )
    channel = keys.session(session).live
    slot = key_slot(channel.encode())
    owner = cluster.master_of(channel)
    other = 1 if owner == 2 else 2
    async with client_of(cluster.url) as client:
        feed = LiveFeed(client, keys)
        reading = asyncio.create_task(feed.run_forever())
        try:
            async with feed.follow(session) as follower, asyncio.timeout(WAIT_S_MAX):
                assert await follower.next(WAIT_S_MAX) is None, "what was said before must be looked up"
                for node in (owner, other):
                    await asyncio.to_thread(give_slot, cluster, slot, node)
                    said = 1 + node
                    while (heard := await follower.next(0.05)) is None or heard[0] != said:
                        payload = b"%d:%b" % (said, pack_event(Warning(code="lagging", message="")))
                        with contextlib.suppress(ResponseError):  # the nodes do not all know yet
                            await asyncio.to_thread(cluster.ask, node, "SPUBLISH", channel, payload)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await asyncio.to_thread(give_slot, cluster, slot, owner)


def give_slot(cluster: Cluster, slot: int, node: int) -> None:
    """All masters agree whose the slot is."""
    ident = cluster.ident(node)
    others = [n for n in range(len(cluster.nodes)) if n != node and cluster.is_master(n)]
    for n in (node, *others):
        cluster.ask(n, "CLUSTER SETSLOT", slot, "NODE", ident)


async def test_a_planned_failover_loses_no_word_and_ends_no_session(own: Service, cluster: Cluster) -> None:
    talks = [talk(n) for n in range(cluster.masters)]
    async with sessions_on_every_node(own, cluster) as sessions:
        speaking = [asyncio.create_task(say(*pair, pace=PACE)) for pair in zip(sessions, talks, strict=True)]
        await asyncio.gather(*(until_speech(session) for session in sessions))
        await asyncio.to_thread(promote, cluster, 0 if cluster.is_master(3) else 3)
        await asyncio.gather(*speaking)
    check(sessions, talks)


def promote(cluster: Cluster, node: int) -> None:
    """Make a replica the master, in agreement with the old one."""
    cluster.ask(node, "CLUSTER FAILOVER")
    wait_until(lambda: cluster.is_master(node), "the replica is the master")


async def test_a_master_that_dies_is_followed_by_its_replica_and_clients_resume(
    own: Service, cluster: Cluster
) -> None:
    replica, master = (0, 3) if cluster.is_master(3) else (3, 0)
    talks = [talk(n) for n in range(4)]
    try:
        async with sessions_on_every_node(own, cluster) as undisturbed, asyncio.timeout(WAIT_S_MAX):
            speaking = [asyncio.create_task(speak_through(own.url, said)) for said in talks]
            bystander = asyncio.create_task(say(undisturbed[1], talks[0], pace=PACE))
            await until_speech(undisturbed[1])
            await asyncio.to_thread(cluster.nodes[master].kill)
            for said, events in zip(talks, await asyncio.gather(*speaking), strict=True):
                assert words(events) == list(said.words)
            await bystander
        check([undisturbed[1]], [talks[0]])
        assert cluster.is_master(replica)
    finally:
        await asyncio.to_thread(cluster.nodes[master].restart)
        await asyncio.to_thread(wait_until, cluster.is_well, "the cluster is well")


async def test_a_cluster_that_is_away_is_a_lost_connection() -> None:
    address = "redis+cluster://127.0.0.1:1,127.0.0.1:2"
    async with client_of(address) as client:
        with pytest.raises(ConnectionLost):
            await client.get("steno:test")
    sync = connect_sync(address)
    with pytest.raises(ConnectionLost):
        sync.get("steno:test")
    sync.close()


async def test_what_is_wrong_for_good_is_not_tried_again(cluster: Cluster) -> None:
    async with client_of(cluster.url) as client:
        await client.set("steno:test", "x", ex=60)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await client.xlen("steno:test")
        with pytest.raises(Exception, match="same key slot") as caught:
            await client.eval("return 1", 2, "a", "b")
        assert not isinstance(caught.value, ConnectionLost)
