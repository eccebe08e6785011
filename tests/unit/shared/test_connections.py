"""How connections to Redis are made."""

import importlib.metadata

import pytest

from shared.redis.connection import connect, connect_sync

SENTINEL = "redis+sentinel://127.0.0.1:1/service"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///none", SENTINEL])
def test_a_new_connection_does_not_look_through_installed_packages(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = [connect(url).connection_pool, connect_sync(url).connection_pool]

    def read_files(name: str) -> str:
        raise AssertionError(f"the version of {name} was looked up")

    monkeypatch.setattr(importlib.metadata, "version", read_files)
    for pool in pools:
        assert pool.make_connection() is not None
