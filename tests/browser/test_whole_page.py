"""All views: accessible, no wider than a phone, the same in the dark; ready when, and how large."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.support.browser import DESKTOP, FAILED_JOB, JOB_LIST, PHONE, Told, page_of, shoot
from tests.support.data import clip
from tests.support.service import Service

pytestmark = pytest.mark.anyio

VIEWS = ("live", "files", "jobs", "system")
TOO_WIDE = "places => places.filter(place => place.scrollWidth > place.clientWidth).length"
PARTIAL = {"final": False, "utterance": 1, "start": 1, "end": 2, "offset": 39, "language": "en"}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


@pytest.mark.parametrize(("screen", "scheme"), [("desktop", "light"), ("phone", "dark")])
@pytest.mark.slow
async def test_every_view_passes_axe_and_fits(
    browser: Browser, service: Service, screen: str, scheme: str
) -> None:
    viewport, is_phone = (PHONE, True) if screen == "phone" else (DESKTOP, False)
    options: dict[str, Any] = {
        "viewport": viewport,
        "color_scheme": scheme,
        "has_touch": is_phone,
        "is_mobile": is_phone,
    }
    async with page_of(browser, service.url, **options) as page:
        for view in VIEWS:
            await page.goto(f"{service.url}/#/{view}")
            await page.locator(f"#view-{view}").wait_for()
            if view == "system":
                await page.locator("#system-body table").first.wait_for()
            await check(page, viewport["width"])
            await shoot(page, f"{view}-{screen}-{scheme}")


@pytest.mark.slow
@pytest.mark.parametrize(("screen", "scheme"), [("desktop", "dark"), ("phone", "light")])
async def test_views_that_hold_something_do_too(
    browser: Browser, service: Service, tmp_path: Path, screen: str, scheme: str
) -> None:
    """Text and partials, files that are done and that failed, jobs, dialogs, problems."""
    viewport, is_phone = (PHONE, True) if screen == "phone" else (DESKTOP, False)
    options: dict[str, Any] = {
        "viewport": viewport,
        "color_scheme": scheme,
        "has_touch": is_phone,
        "is_mobile": is_phone,
    }
    broken = tmp_path / f"{'a long name ' * 12}.mp3"
    broken.write_text("no sound")
    async with page_of(browser, service.url, **options) as page:

        async def look(name: str) -> None:
            await check(page, viewport["width"])
            await shoot(page, f"{name}-{screen}-{scheme}")

        told = Told()
        await told.install(page)
        await page.click("#record")
        await page.locator("body[data-live=live]").wait_for()
        told.final(0, "Some of this may not be what was said.", probability=0.3)
        told.say("partial", text="and this is not over", committed=8, **PARTIAL)
        await expect(page.locator("#partial")).to_have_text("and this is not over")
        await look("live-told")
        told.say("error", code="engine_fault", message="as it is", retryable=False)
        await told.closed(1011)
        await expect(page.locator("#live-problem strong")).to_contain_text("could not decode")
        await look("live-problem")
        for button, dialog in (("#clear", "clear"), ("#help-button", "help")):
            await page.click(button)
            await page.locator(f"#{dialog}-dialog[open]").wait_for()
            await look(dialog)
            await page.keyboard.press("Escape")
        await page.click("nav a[data-view=files]")
        await page.set_input_files("#file-input", [clip("en_demo").path, broken])
        await expect(page.locator(".file-state.bad")).to_contain_text("no sound that can be read")
        await page.locator("#cards .saves").wait_for()
        await look("files-held")
        await page.click("nav a[data-view=jobs]")
        await page.get_by_role("button", name="Read").first.click()
        await page.locator("#job-transcript .line").first.wait_for()
        await look("jobs-held")
        await page.route(JOB_LIST, lambda route: route.fulfill(json={"jobs": [FAILED_JOB]}))
        await page.locator("#job-filter input[value=failed]").check()
        await page.locator("#job-rows .reason").wait_for()
        await look("jobs-failed")


async def check(page: Page, width: int) -> None:
    """Accessible, and no wider than the screen, tables neither."""
    found = (await Axe().run(page, options=RULES)).response["violations"]
    assert not found, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.locator(".table-place:visible").evaluate_all(TOO_WIDE) == 0


@pytest.mark.slow
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
