"""Real parts for tests: a Valkey server, and the whole service as processes, each started once per run.

After every test: no key without a TTL that is not declared permanent, and no task left in the loop.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from shared.guard import Guard
from shared.redis.connection import AsyncRedis, connect, connect_sync
from shared.redis.embedded import EmbeddedServer
from shared.redis.keys import is_permanent
from tests.support.server_image import server_in_container
from tests.support.service import Service

# No test asserts time: this machine may be busy.
settings.register_profile("steno", deadline=None)
settings.load_profile("steno")

# What a shell starts in the background ignores SIGINT, and so would all that tests start and interrupt.
# Started from a process that handles it, they have the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG_FIRST = ("chaos", "desktop", "acceptance", "browser", "integration", "contract", "unit")
"""Directories in the order in which they are run: what is short comes last, and fills up the end, so that no
process is left alone with something long."""
PROCESSES_MAX = 12
"""Test processes, for the memory's sake: a model may be in each."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` means: one more than cores, because one of them waits at any moment for
    what it has started."""
    return min((os.cpu_count() or 1) + 1, PROCESSES_MAX)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Directories in their order; within one, files stay as they are."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)

    items.sort(key=place)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def _server_url() -> Generator[str]:
    """The embedded server, or one in a container: an image that `STENO_TEST_REDIS_IMAGE` names."""
    image = os.environ.get("STENO_TEST_REDIS_IMAGE", "")
    with server_in_container(image) if image else _embedded() as url:
        yield url


@contextmanager
def _embedded() -> Generator[str]:
    guard = Guard()
    server = EmbeddedServer()
    server.start()
    guard.add(server.pid or 0)
    yield server.url
    server.stop()
    guard.close()


@pytest.fixture
def redis_url(_server_url: str) -> Generator[str]:
    """An empty server of the test's own; checked for leaked keys afterwards."""
    client = connect_sync(_server_url)
    try:
        client.flushall()
        yield _server_url
        assert leaked_keys(_server_url) == []
    finally:
        client.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[AsyncRedis]:
    """A client of the test's own server. No task may be left when the test ends."""
    client = connect(redis_url)
    before = asyncio.all_tasks()
    yield client
    await client.aclose()
    left = [task.get_name() for task in asyncio.all_tasks() - before if not _is_runner(task)]
    assert not left, f"tasks left behind: {left}"


def _is_runner(task: asyncio.Task[object]) -> bool:
    """The test runner calls fixtures in tasks of its own."""
    return "TestRunner" in getattr(task.get_coro(), "__qualname__", "")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """Edge, worker and job worker with the scripted engine: quick, deterministic, no weights."""
    with Service.running(tmp_path_factory.mktemp("service"), engine="scripted") as running:
        yield running
        assert leaked_keys(running.redis_url) == []


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """The whole service with real weights, English only."""
    with Service.running(tmp_path_factory.mktemp("english"), model="tiny.en") as running:
        yield running


@pytest.fixture(scope="session")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """The whole service with the default weights."""
    with Service.running(tmp_path_factory.mktemp("multilingual"), model="base") as running:
        yield running


def leaked_keys(url: str) -> list[str]:
    """Keys without a TTL that are not declared permanent."""
    client = connect_sync(url)
    try:
        names = [key.decode() for key in client.scan_iter(count=1000)]
        return [name for name in names if client.ttl(name) == -1 and not is_permanent(name)]
    finally:
        client.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory of the test's own."""
    return tmp_path / "data"
