"""A server that asks for API keys, and the sound of another tab as a source."""

import asyncio
import base64
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import browser as open_browser
from tests.support.browser import page_of, shoot
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEY = "a-key-of-a-test"
PLAY = """async (wav) => {
  document.title = "A talk";
  const context = new AudioContext();
  const bytes = Uint8Array.from(atob(wav), (char) => char.charCodeAt(0));
  const buffer = await context.decodeAudioData(bytes.buffer);
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  source.connect(context.destination);
  source.start();
}"""


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service for those who have the key."""
    with Service.running(tmp_path_factory.mktemp("keyed"), engine="scripted", api_keys=KEY) as running:
        yield running


async def test_a_key_is_asked_for_and_kept_for_the_tab(browser: Browser, keyed: Service) -> None:
    async with page_of(browser, keyed.url) as page:
        await page.locator("#key-dialog[open]").wait_for()
        await page.fill("#key-input", "not-the-right-key")
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-problem")).to_have_text("The server does not know this key.")
        await shoot(page, "key")
        await page.keyboard.press("Escape")
        await page.click("#record")
        await expect(page.locator("#live-problem strong")).to_have_text("This server needs an API key.")
        await page.get_by_role("button", name="Enter key").click()
        await page.fill("#key-input", KEY)
        await page.keyboard.press("Enter")
        await page.locator("#key-dialog").wait_for(state="hidden")
        await page.reload()
        await page.locator("nav a[aria-current]").wait_for()
        await page.click("#record")
        await page.locator("#lines .line").first.wait_for()
        await page.click("#record")
        await page.locator("body[data-live=idle]").wait_for()
        await page.click("nav a[data-view=jobs]")
        await expect(page.locator("#job-empty")).to_be_visible()
        assert KEY not in await page.evaluate("JSON.stringify(localStorage)")


async def test_the_sound_of_a_tab_becomes_text(service: Service, microphone: Path) -> None:
    """Playwright mutes its browser unless told otherwise."""
    flags = ["--auto-select-tab-capture-source-by-title=A talk"]
    async with open_browser(flags=flags, is_muted=False) as browser, page_of(browser, service.url) as page:
        talk = await page.context.new_page()
        await talk.goto("about:blank")
        wav = await asyncio.to_thread(microphone.read_bytes)
        await talk.evaluate(PLAY, base64.b64encode(wav).decode())
        await page.locator("input[value=tab]").check()
        await page.click("#record")
        await page.locator("#lines .line").first.wait_for()
        await talk.close()  # what is shared ends, and so does the session, with all its text
        await page.locator("body[data-live=idle]").wait_for()
        await expect(page.locator("#live-problem")).to_be_hidden()
