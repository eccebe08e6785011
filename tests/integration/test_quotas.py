"""The bound of a tenant's sessions: exact however many ask at once, given back, and other tenants' are
theirs."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as dial

from client import connect
from shared.errors import QuotaExceeded
from shared.redis.connection import AsyncRedis
from shared.redis.keys import Keys
from shared.redis.quotas import TenantPlaces
from tests.support.live import RawSession
from tests.support.service import Service

pytestmark = pytest.mark.anyio

ALICE, BOB = "alice-key-0123456", "bob-key-0123456"
CLIENTS, BOUND = 100, 7


async def test_the_bound_is_exact_with_a_hundred_that_ask_at_once(redis: AsyncRedis) -> None:
    edges = [TenantPlaces(redis, Keys(), limit=BOUND, held_s=60) for _ in range(4)]
    asked = [edges[i % 4].occupy("acme", f"session-{i}") for i in range(CLIENTS)]
    got = await asyncio.gather(*asked, edges[0].occupy("other", "session-0"))
    assert sum(got[:-1]) == BOUND
    assert got[-1]
    holder = f"session-{got.index(True)}"
    assert await edges[1].occupy("acme", holder), "who has a place keeps it"
    assert not await edges[1].occupy("acme", "another")
    await edges[2].vacate("acme", holder)
    assert await edges[1].occupy("acme", "another")
    assert not await edges[1].occupy("acme", holder)
    assert 0 < await redis.ttl(Keys().tenant_sessions("acme")) <= 60


async def test_places_of_an_edge_that_died_end(redis: AsyncRedis) -> None:
    places = TenantPlaces(redis, Keys(), limit=1, held_s=600)
    name = Keys().tenant_sessions("acme")
    assert await places.occupy("acme", "dead")
    assert not await places.occupy("acme", "new")
    seconds, _ = await redis.time()
    await redis.zadd(name, {"dead": seconds - 1})
    assert await places.occupy("acme", "new")
    assert await redis.zrange(name, 0, -1) == [b"new"]


async def test_a_tenant_has_so_many_sessions_and_not_one_more(tmp_path: Path) -> None:
    settings = {"api_keys": f"alice:{ALICE},bob:{BOB}", "tenant_sessions_max": "2", "origins": ""}
    with Service.running(tmp_path, engine="scripted", modules=("api", "worker"), **settings) as own:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(connect(own.ws_url, api_key=ALICE))
            await stack.enter_async_context(connect(own.ws_url, api_key=ALICE))
            with pytest.raises(QuotaExceeded) as refused:
                async with connect(own.ws_url, api_key=ALICE):
                    pytest.fail("one too many")
            assert refused.value.retry_after_s
            headers = {"Authorization": f"Bearer {ALICE}"}
            async with dial(f"{own.ws_url}/v1/stream", additional_headers=headers) as socket:
                assert await RawSession(socket).until_closed() == (1013, "quota_exceeded")
            async with connect(own.ws_url, api_key=BOB) as other:
                await other.end()
                assert [event.type async for event in other][-1] == "closed"
            await first.end()
            assert [event.type async for event in first][-1] == "closed"
            async with asyncio.timeout(60):  # the edge gives the place up behind the last event
                while True:
                    if await _is_let_in(own, ALICE):
                        break
                    await asyncio.sleep(0.05)


async def _is_let_in(service: Service, key: str) -> bool:
    try:
        async with connect(service.ws_url, api_key=key) as session:
            await session.end()
    except QuotaExceeded:
        return False
    return True
