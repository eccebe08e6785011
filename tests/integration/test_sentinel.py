"""The primary is found through a real Sentinel, before and after a failover."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from shared.errors import BadParameter
from shared.guard import Guard
from shared.redis.connection import (
    AsyncRedis,
    ConnectionLost,
    RedisError,
    connect,
    connect_sync,
    through_outages,
)
from shared.redis.embedded import binary_path
from tests.support.replica import replicated
from tests.support.service import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAIT_S_MAX = 60.0


@pytest.fixture
def sentinel(tmp_path: Path) -> Generator[int]:
    """The port of a Sentinel that watches a primary `steno` with one replica."""
    guard = Guard()
    port = free_port()
    config = tmp_path / "sentinel.conf"
    with replicated() as (primary, _):
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
            f"sentinel monitor steno 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds steno 1000\nsentinel failover-timeout steno 5000\n"
        )
        with (tmp_path / "log").open("wb") as log:
            watcher = subprocess.Popen(
                [str(binary_path()), str(config), "--sentinel"], stdout=log, stderr=log
            )
        try:
            guard.add(watcher.pid)
            _wait_for_replica(port)
            yield port
        finally:
            watcher.kill()  # it keeps nothing that anybody needs
            watcher.wait()
            guard.close()


def _wait_for_replica(port: int) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    client = connect_sync(f"redis://127.0.0.1:{port}")
    try:
        while True:
            with contextlib.suppress(*ConnectionLost):  # not up yet
                # It looks every 10 s else, and tells the old primary after four times 2 s.
                client.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", "200", "PUBLISH-PERIOD", "200")
                rows = client.execute_command("SENTINEL", "REPLICAS", "steno")
                if "'ok'" in str(rows).replace("b'", "'"):  # the state of its link to the primary
                    return
            assert time.monotonic() < deadline, "Sentinel does not see the replica"
            time.sleep(0.1)
    finally:
        client.close()


async def test_the_primary_is_found_before_and_after_a_failover(sentinel: int) -> None:
    client = connect(f"redis+sentinel://127.0.0.1:{sentinel}/steno")
    watcher = connect(f"redis://127.0.0.1:{sentinel}")
    try:
        await client.set("steno:test", "before", ex=60)
        first = (await client.info("server"))["tcp_port"]
        async with asyncio.timeout(WAIT_S_MAX):
            while not await failover(watcher):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
            while (await through_outages(lambda: client.info("server")))["tcp_port"] == first:
                await through_outages(lambda: client.set("steno:test", "after", ex=60))
        assert await through_outages(lambda: client.get("steno:test")) in (b"before", b"after")
        await through_outages(lambda: client.set("steno:test", "at last", ex=60))
    finally:
        await client.aclose()
        await watcher.aclose()


async def failover(watcher: AsyncRedis) -> bool:
    """Ask for a failover. Returns whether Sentinel agreed: not before it knows a good replica."""
    try:
        await watcher.execute_command("SENTINEL", "FAILOVER", "steno")
    except RedisError:
        return False
    return True


@pytest.mark.parametrize(
    "url", ["redis+sentinel://host:port/steno", "redis+sentinel://host:1", "redis+sentinel:///steno"]
)
def test_an_address_that_names_no_sentinel_or_service_is_refused(url: str) -> None:
    with pytest.raises(BadParameter, match=r"(?i)sentinel"):
        connect(url)
