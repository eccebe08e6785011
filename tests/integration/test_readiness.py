"""What the edge's readiness says of its workers, with real weights."""

import asyncio

import httpx
import pytest

from tests.support.service import READY_S_MAX, Service

pytestmark = [pytest.mark.anyio, pytest.mark.model]


async def test_it_tells_that_the_model_understands_speech(english: Service) -> None:
    async with httpx.AsyncClient(base_url=english.url) as http, asyncio.timeout(READY_S_MAX):
        while (  # noqa: ASYNC110 - the fact is in another process
            ready := (await http.get("/readyz")).json()
        )["canary_share"] is None:
            await asyncio.sleep(0.1)
    assert ready["canary_share"] == 1.0
    assert ready["decoded_s_ago"] >= 0
    assert ready["oldest_unserved_s"] >= 0
