"""The System view with the running service: what it says is what the service does."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import page_of, shoot
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_live_session_is_seen(browser: Browser, service: Service) -> None:
    async with (
        page_of(browser, service.url) as page,
        page_of(browser, service.url, path="/#/system") as system,
    ):
        sessions = system.get_by_role("region", name="Sessions").locator("tbody tr")
        tile = system.locator(".tile", has_text="Live sessions").locator("dd").first
        await expect(system.get_by_role("region", name="Workers").locator("tbody tr")).to_have_count(1)
        await expect(tile).to_have_text("0")
        await page.click("#record")
        await page.locator("#lines .line").first.wait_for()
        await expect(tile).to_have_text("1")
        await expect(sessions).to_have_count(1)
        await expect(sessions.first).to_contain_text("native")
        # On a busy machine there are seconds without words, and the line has gaps.
        await system.locator(".chart polyline.first").first.wait_for(state="attached")
        await shoot(system, "system-speaking")
        await page.click("#record")
        await page.locator("body[data-live=idle]").wait_for()
        await expect(tile).to_have_text("0")
