"""What runs beside the edge's routes has to run as long as the edge does."""

import asyncio
import logging
from pathlib import Path

import pytest

from api.app import create_app
from shared.redis.live import LiveFeed
from shared.settings import Settings

pytestmark = pytest.mark.anyio


async def test_an_edge_whose_live_feed_ends_says_so_and_stops(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_feed: LiveFeed) -> None:
        raise ValueError("no")

    monkeypatch.setattr(LiveFeed, "run_forever", broken)
    stopped = asyncio.Event()
    app = create_app(Settings(redis_url=redis_url, data_dir=tmp_path), on_fault=stopped.set)
    with caplog.at_level(logging.ERROR):
        async with app.router.lifespan_context(app), asyncio.timeout(10):
            await stopped.wait()
    assert [record.getMessage() for record in caplog.records] == ["the edge stops: live-feed ended"]


async def test_an_edge_that_is_told_to_stop_has_no_fault(redis_url: str, tmp_path: Path) -> None:
    stopped = asyncio.Event()
    app = create_app(Settings(redis_url=redis_url, data_dir=tmp_path), on_fault=stopped.set)
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0)
    assert not stopped.is_set()
