"""All views: accessible, no wider than a phone, the same in the dark; ready when, and how large."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from tests.support.browser import DESKTOP, PHONE, page_of, shoot
from tests.support.service import Service

pytestmark = pytest.mark.anyio

VIEWS = ("live", "files", "jobs", "system")
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


@pytest.mark.parametrize(
    ("screen", "scheme"), [pytest.param("desktop", "light", marks=pytest.mark.slow), ("phone", "dark")]
)
async def test_every_view_passes_axe_and_fits(
    browser: Browser, service: Service, screen: str, scheme: str
) -> None:
    viewport, is_phone = (PHONE, True) if screen == "phone" else (DESKTOP, False)
    options = {"viewport": viewport, "color_scheme": scheme, "has_touch": is_phone, "is_mobile": is_phone}
    async with page_of(browser, service.url, **options) as page:
        for view in VIEWS:
            await page.goto(f"{service.url}/#/{view}")
            await page.locator(f"#view-{view}").wait_for()
            found = (await Axe().run(page, options=RULES)).response["violations"]
            assert not found, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
            assert await page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
            await shoot(page, f"{view}-{screen}-{scheme}")


async def test_it_is_ready_soon_and_small(browser: Browser, service: Service) -> None:
    """The figures are printed; `python -m bench.page` measures them on a machine that does nothing else."""
    async with page_of(browser, service.url) as page:
        ready_ms = await page.evaluate("performance.getEntriesByName('steno:ready')[0].startTime")
        sizes = await page.evaluate(
            "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".filter(entry => !entry.name.includes('/v1/')).map(entry => entry.decodedBodySize)"
        )
        print(f"ready {ready_ms:.0f} ms after navigation began, {sum(sizes)} bytes in {len(sizes)} files")
        assert sum(sizes) <= 200_000
