"""A client of Redis for the length of a block."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shared.redis.connection import AsyncRedis, connect


@asynccontextmanager
async def client_of(url: str) -> AsyncGenerator[AsyncRedis]:
    """A client, closed at the end."""
    client = connect(url)
    try:
        yield client
    finally:
        await client.aclose()
