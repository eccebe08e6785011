"""Redis restarts, fails over, and runs out of memory while people speak. Real servers throughout."""

import asyncio
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from redis import ResponseError

from shared.redis.connection import (
    SYNC_BLOCK_MS_MAX,
    AsyncRedis,
    ConnectionLost,
    NotNow,
    connect_sync,
    is_not_now,
    through_outages,
)
from shared.redis.embedded import EmbeddedServer
from tests.support.marked import talk
from tests.support.proxy import Proxy
from tests.support.redis_client import client_of
from tests.support.replica import replicated
from tests.support.service import Service
from tests.support.talking import check, speak

pytestmark = pytest.mark.anyio

PACE = 4.0
"""Times real time."""
WAIT_S_MAX = 30.0
FILLED = 6000
"""Entries of a file that is loaded: between some thousands the server looks at its connections."""
LOAD_S = 2.0


@pytest.fixture
def own(tmp_path: Path) -> Generator[Service]:
    """A service whose Redis keeps its data."""
    with Service.running(
        tmp_path, engine="scripted", model="marks", modules=("api", "worker"), persistent=True
    ) as running:
        yield running


@pytest.fixture
def pair() -> Generator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A primary and its replica."""
    with replicated() as servers:
        yield servers


async def test_a_restart_of_redis_loses_no_word_and_ends_no_session(own: Service) -> None:
    talks = [talk(n) for n in range(4)]
    speaking = [asyncio.create_task(speak(own, said, pace=PACE)) for said in talks]
    await asyncio.sleep(1)
    began = time.monotonic()
    await asyncio.to_thread(own.restart_redis)
    print(f"Redis was away for {time.monotonic() - began:.2f} s")
    check(await asyncio.gather(*speaking), talks)


@pytest.mark.slow
async def test_a_redis_that_takes_its_time_to_load_loses_no_word(own: Service) -> None:
    """It answers, and refuses all with `LOADING`, before it has read its file."""
    said = talk()
    async with client_of(own.redis_url) as client:
        filling = client.pipeline(transaction=False)
        for n in range(FILLED):
            filling.set(f"steno:test:{n}", "x", ex=600)
        await filling.execute()
        own.redis.options["key-load-delay"] = str(round(LOAD_S * 1e6 / FILLED))  # µs
        speaking = asyncio.create_task(speak(own, said, pace=PACE))
        await asyncio.sleep(1)
        await asyncio.to_thread(own.restart_redis)
        check([await speaking], [said])
        assert await refusals(client, "LOADING") > 0
        refused = {c for c, seen in (await client.info("commandstats")).items() if seen["rejected_calls"]}
        assert refused & {"cmdstat_evalsha", "cmdstat_xread", "cmdstat_xreadgroup"}, "of edge or worker"


async def refusals(client: AsyncRedis, word: str) -> int:
    """How often the server has refused something with an error that begins so."""
    return (await client.info("errorstats")).get(f"errorstat_{word}", {"count": 0})["count"]


async def until_refused_again(client: AsyncRedis, word: str, before: int) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while await refusals(client, word) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_memory_that_ran_out_and_came_back_loses_no_word(own: Service) -> None:
    said = talk()
    async with client_of(own.redis_url) as client:
        speaking = asyncio.create_task(speak(own, said, pace=PACE))
        await asyncio.sleep(1)
        before = await refusals(client, "OOM")
        await client.config_set("maxmemory", "1mb")
        await until_refused_again(client, "OOM", before)
        await client.config_set("maxmemory", "0")
        check([await speaking], [said])


@pytest.mark.slow
async def test_a_disk_that_could_not_be_written_for_a_moment_loses_no_word(
    own: Service, tmp_path: Path
) -> None:
    """A directory where the snapshot is to be: the server then refuses all writes, as with a full disk."""
    said = talk()
    in_the_way = tmp_path / "valkey" / "dump.rdb"
    async with client_of(own.redis_url) as client:
        speaking = asyncio.create_task(speak(own, said, pace=PACE))
        await asyncio.sleep(1)
        in_the_way.mkdir()
        await client.config_set("save", "3600 1")
        await client.bgsave()
        await until_refused_again(client, "MISCONF", 0)
        await client.config_set("stop-writes-on-bgsave-error", "no")
        check([await speaking], [said])
    in_the_way.rmdir()


SLOW = """
local n = 0
while n < 50000000 do n = n + 1 end
return n
"""


@pytest.mark.slow
async def test_a_slow_command_of_someone_else_loses_no_word(own: Service) -> None:
    said = talk()
    async with client_of(own.redis_url) as client:
        speaking = asyncio.create_task(speak(own, said, pace=PACE))
        await asyncio.sleep(1)
        began = time.monotonic()
        await client.eval(SLOW, 0)
        print(f"Redis was busy for {time.monotonic() - began:.2f} s")
        check([await speaking], [said])


async def test_memory_that_ran_out_is_not_now() -> None:
    server = EmbeddedServer()
    server.start()
    try:
        async with client_of(server.url) as client:
            await client.config_set("maxmemory", "1mb")
            with pytest.raises(NotNow, match="used memory"):
                await client.set("steno:test", "x", ex=60)
    finally:
        server.stop()


@pytest.mark.slow
async def test_a_server_that_became_a_replica_is_not_now_and_the_new_primary_is_found(
    pair: tuple[EmbeddedServer, EmbeddedServer],
) -> None:
    """What a name that moves to the new primary looks like: a proxy that is led elsewhere."""
    primary, replica = pair
    async with Proxy(primary.socket) as proxy, client_of(proxy.redis_url) as client:
        await client.set("steno:test", "before", ex=60)
        await failed_over(primary, replica)
        with pytest.raises(NotNow, match="read only replica"):
            await client.set("steno:test", "refused", ex=60)
        proxy.lead_to(replica.socket)
        assert await through_outages(lambda: client.get("steno:test")) == b"before"
        await client.set("steno:test", "after", ex=60)


@pytest.mark.slow
async def test_sessions_go_on_when_a_replica_is_promoted(
    tmp_path: Path, pair: tuple[EmbeddedServer, EmbeddedServer]
) -> None:
    primary, replica = pair
    talks = [talk(n) for n in range(4)]
    async with Proxy(primary.socket) as proxy:
        running = Service.running(
            tmp_path, engine="scripted", model="marks", modules=("api", "worker"), redis_url=proxy.redis_url
        )
        own = await asyncio.to_thread(running.__enter__)
        try:
            speaking = [asyncio.create_task(speak(own, said, pace=PACE)) for said in talks]
            await asyncio.sleep(1)
            began = time.monotonic()
            await failed_over(primary, replica)
            proxy.lead_to(replica.socket)
            print(f"failed over in {time.monotonic() - began:.2f} s")
            check(await asyncio.gather(*speaking), talks)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


async def failed_over(primary: EmbeddedServer, replica: EmbeddedServer) -> None:
    """Make the replica the primary, without losing a write."""
    async with client_of(primary.url) as old, client_of(replica.url) as new:
        await old.execute_command("FAILOVER", "TO", "127.0.0.1", str(replica.port))
        async with asyncio.timeout(30):
            while (await new.info("replication"))["role"] != "master":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)


async def test_a_cut_connection_is_made_anew(redis_url: str) -> None:
    async with Proxy(Path(redis_url.removeprefix("unix://"))) as proxy, client_of(proxy.redis_url) as client:
        await client.set("steno:test", "x", ex=60)
        proxy.cut()
        assert await through_outages(lambda: client.get("steno:test")) == b"x"


@pytest.mark.slow
async def test_silence_of_the_network_ends_as_a_lost_connection(redis_url: str) -> None:
    async with Proxy(Path(redis_url.removeprefix("unix://"))) as proxy, client_of(proxy.redis_url) as client:
        await client.set("steno:test", "x", ex=60)
        proxy.silent = True
        with pytest.raises(ConnectionLost):
            await client.xread({"steno:none": "0-0"}, 1, block=100)


@pytest.mark.slow
def test_a_read_that_waits_longer_than_redis_py_does_by_default_ends_with_nothing(redis_url: str) -> None:
    """RQ's: its block is as long as redis-py 8 waits for any answer."""
    client = connect_sync(redis_url)
    assert client.blpop(["steno:none"], timeout=SYNC_BLOCK_MS_MAX / 1000) is None
    assert client.xread({"steno:none": "0-0"}, 1, block=SYNC_BLOCK_MS_MAX) == []
    client.close()


async def test_what_is_wrong_for_good_is_not_tried_again(redis: AsyncRedis) -> None:
    await redis.set("steno:test", "x", ex=60)
    with pytest.raises(Exception, match="WRONGTYPE") as caught:
        await redis.xlen("steno:test")
    assert not isinstance(caught.value, ConnectionLost)


@pytest.mark.parametrize(
    "refusal",
    [
        "MISCONF Errors writing to the AOF file",
        "NOREPLICAS Not enough good replicas",
        "BUSY Valkey is busy running a script",
    ],
)
def test_refusals_of_the_moment_are_known_by_their_first_word(refusal: str) -> None:
    assert is_not_now(ResponseError(refusal))
    assert not is_not_now(ResponseError("ERR wrong number of arguments"))
