"""Files and jobs in the page, with the running service."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.browser import FAILED_JOB, JOB_LIST, page_of, shoot, text_of
from tests.support.data import clip
from tests.support.media import write_media
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MARKUP = "<img src=x onerror=alert(1)>.flac"


@pytest.fixture
async def page(browser: Browser, service: Service) -> AsyncGenerator[Page]:
    async with page_of(browser, service.url, path="/#/files") as page:
        yield page


async def test_files_become_text_that_is_played_and_saved(page: Page, tmp_path: Path) -> None:
    """One is no media, one has a name that would be markup."""
    named = tmp_path / MARKUP
    named.write_bytes(clip("en_demo").path.read_bytes())
    broken = tmp_path / "broken.mp3"
    broken.write_text("no sound")
    await page.set_input_files("#file-input", [named, broken])
    card = page.locator(".card[role=listitem]", has_text=MARKUP)
    await expect(card.locator(".file-state")).to_contain_text("Finished")
    assert await card.locator(".line").count() > 0
    assert await page.locator("main img").count() == 0
    async with page.expect_download() as waiting:
        await card.get_by_role("button", name="SRT").click()
    assert "-->" in await text_of(await waiting.value)
    await card.locator(".time").last.click()
    await expect(card.locator(".line").last).to_have_class("line playing")
    failed = page.locator(".card[role=listitem]", has_text="broken.mp3")
    await expect(failed.locator(".file-state")).to_contain_text("This file has no sound that can be read.")
    await expect(failed.get_by_role("button", name="Retry")).to_be_visible()
    await shoot(page, "files-done")


async def test_jobs_are_listed_filtered_read_and_deleted(page: Page) -> None:
    await page.set_input_files("#file-input", clip("en_twain").path)
    await expect(page.locator("#cards .file-state").first).to_contain_text("Finished")
    await page.click("nav a[data-view=jobs]")
    row = page.locator("#job-rows tr", has_text="en_twain.flac").first
    await expect(row.locator(".status")).to_have_text("finished")
    await page.locator("#job-filter input[value=failed]").check()
    await expect(page.locator("#job-rows tr", has_text="en_twain.flac")).to_have_count(0)
    await page.locator("#job-filter input[value=finished]").check()
    await row.get_by_role("button", name="Read").click()
    await page.locator("#job-transcript .line").first.wait_for()
    await shoot(page, "jobs-read")
    await page.get_by_role("button", name="Close", exact=True).click()
    await expect(page.locator("#job-transcript")).to_be_hidden()
    await page.locator("#job-filter input[value=running]").check()
    await expect(page.locator("#job-empty")).to_contain_text("No job is running.")
    await page.locator("#job-filter input[value=finished]").check()
    await row.wait_for()
    key = await row.get_attribute("data-key")
    await page.locator("#job-filter input[value='']").check()
    its = page.locator(f'#job-rows tr[data-key="{key}"]')
    await its.get_by_role("button", name="Delete").click()
    await expect(its).to_have_count(0)


async def test_a_job_that_failed_says_why(page: Page) -> None:
    await page.route(JOB_LIST, lambda route: route.fulfill(json={"jobs": [FAILED_JOB]}))
    await page.click("nav a[data-view=jobs]")
    row = page.locator("#job-rows tr")
    await expect(row.locator(".reason")).to_have_text(
        "The server could not decode this sound. Try again; if it happens again, its log says where."
    )
    await expect(row.get_by_role("button", name="Retry")).to_be_visible()
    assert await page.locator("main img").count() == 0


async def test_what_is_refused_is_a_sentence_and_a_next_step(page: Page) -> None:
    refusals = [
        (503, "no_capacity", "The queue of files is full. Try again when some are done"),
        (507, "storage_full", "The server's storage is full."),
        (413, "too_large", "The file is larger than this server takes."),
    ]
    for status, code, sentence in refusals:
        await page.route("**/v1/jobs", refusal(status, code))
        await page.set_input_files("#file-input", clip("en_twain").path)
        await expect(page.locator("#cards .file-state").first).to_contain_text(sentence)
        assert await page.locator("main img").count() == 0


@pytest.mark.slow
@pytest.mark.model
async def test_a_long_file_is_followed_and_cancelled(
    browser: Browser, english: Service, tmp_path: Path
) -> None:
    """Segments come while it runs; a second file waits its turn and says so; what was cancelled can be sent
    again."""
    talk = np.concatenate([clip(name).samples() for name in ("en_demo", "en_stew", "en_twain")] * 12)
    long = write_media(tmp_path / "long.flac", talk)
    async with page_of(browser, english.url, path="/#/files") as page:
        await page.set_input_files("#file-input", long)
        card = page.locator(".card[role=listitem]", has_text="long.flac")
        await expect(card.locator(".file-state")).to_contain_text("Transcribing", timeout=30_000)
        await card.locator(".line").first.wait_for(timeout=60_000)
        await shoot(page, "files-running")
        assert 0 < float(await card.locator("progress").evaluate("element => element.value")) < 1
        await page.set_input_files("#file-input", clip("en_twain").path)
        second = page.locator(".card[role=listitem]", has_text="en_twain.flac")
        await expect(second.locator(".file-state")).to_contain_text("Queued · next in line", timeout=30_000)
        await card.get_by_role("button", name="Cancel").click()
        await expect(card.locator(".file-state")).to_have_text("Cancelled")
        await expect(second.locator(".file-state")).to_contain_text("Finished", timeout=60_000)
        await second.get_by_role("button", name="Remove").click()
        await card.get_by_role("button", name="Retry").click()
        await expect(card.locator(".file-state")).to_contain_text("Transcribing", timeout=30_000)
        await card.get_by_role("button", name="Cancel").click()
        await page.click("nav a[data-view=jobs]")
        for row in await page.locator("#job-rows tr", has_text="long.flac").all():
            await expect(row.locator(".status")).to_have_text("cancelled", timeout=30_000)


@pytest.mark.slow
async def test_a_long_list_of_jobs_comes_in_pages(page: Page, service: Service) -> None:
    content = clip("music").path.read_bytes()
    for number in range(30):
        file = {"name": f"{number}.flac", "mimeType": "audio/flac", "buffer": content}
        answer = await page.request.post(f"{service.url}/v1/jobs", multipart={"file": file})
        assert answer.status == 202
    await page.click("nav a[data-view=jobs]")
    rows = page.locator("#job-rows tr")
    await expect(rows.first).to_contain_text("29.flac")
    await expect(rows).to_have_count(25)
    await page.click("#job-more")
    await expect(rows.nth(29)).to_be_visible()


def refusal(status: int, code: str) -> Callable[[Route], Awaitable[None]]:
    body = {"error": {"code": code, "message": MARKUP, "retryable": False}}
    return lambda route: route.fulfill(status=status, json=body)
