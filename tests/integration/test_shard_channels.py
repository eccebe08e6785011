"""A shard's announcements when its connection is lost by whoever writes while another task reads."""

import asyncio
from typing import Any, cast

import pytest

from shared.redis.channels import Announced, Missed, _ShardChannels  # pyright: ignore[reportPrivateUsage]
from shared.redis.connection import AsyncRedis, connect

pytestmark = pytest.mark.anyio

CHANNEL = b"steno:{00}:s:x:live"


class Cluster:
    """One server that owns every slot."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def owner_of(self, _key: str) -> AsyncRedis:
        return connect(self._url)


async def heard(channels: _ShardChannels, redis: AsyncRedis) -> Announced:
    """Announce until it is heard: what is announced while there is no connection is missed."""
    async with asyncio.timeout(30):
        while True:
            await redis.execute_command("SPUBLISH", CHANNEL, b"1:x")
            try:
                if announced := await channels.next():
                    return announced
            except Missed:
                pass


async def test_a_reader_survives_the_loss_of_its_connection_by_a_writer(
    redis: AsyncRedis, redis_url: str
) -> None:
    channels = _ShardChannels(cast(Any, Cluster(redis_url)), "key")
    await channels.subscribe(CHANNEL)
    assert await heard(channels, redis) == (CHANNEL, b"1:x")
    for _ in range(5):
        reading = asyncio.create_task(channels.next())
        await asyncio.sleep(0)
        await channels.aclose()  # as a writer does that finds the connection broken
        await asyncio.gather(reading, return_exceptions=True)
        assert not isinstance(reading.exception(), RuntimeError)
        assert await heard(channels, redis) == (CHANNEL, b"1:x")
    await channels.aclose()


async def test_a_connection_that_nothing_was_wanted_of_is_made_again(
    redis: AsyncRedis, redis_url: str
) -> None:
    channels = _ShardChannels(cast(Any, Cluster(redis_url)), "key")
    await channels.subscribe(CHANNEL)
    channels._wanted.clear()
    with pytest.raises(Missed):
        await channels.next()
    channels._wanted.add(CHANNEL)
    assert await heard(channels, redis) == (CHANNEL, b"1:x")
    await channels.aclose()
