"""The Live view with the running service, scripted engine, and with servers that say what a test wants."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import Told, page_of, shoot, text_of
from tests.support.browser import browser as open_browser
from tests.support.line import line_to
from tests.support.service import Service

pytestmark = pytest.mark.anyio

ROWS_MAX = 200
"""Most lines of text in the document, however long the session is."""
HOUR = 3600
WATCH_PAINTS = """() => {
  window.paints = [];
  new PerformanceObserver((list) => {
    const paints = list.getEntries().filter(({ name }) => name === "steno:paint");
    window.paints.push(...paints.map(({ duration }) => duration));
  }).observe({ entryTypes: ["measure"] });
}"""
MARKUP = '<img src=x onerror="document.title=1"><b>bold</b> &amp; </p><script>document.title=2</script>'


@pytest.fixture
async def page(browser: Browser, service: Service) -> AsyncGenerator[Page]:
    async with page_of(browser, service.url) as page:
        yield page


async def start(page: Page) -> None:
    await page.click("#record")
    await page.locator("body[data-live=live]").wait_for()


async def stop(page: Page) -> None:
    await page.click("#record")
    await page.locator("body[data-live=idle]").wait_for()


async def test_speech_becomes_text_that_can_be_heard_copied_and_saved(page: Page) -> None:
    """And the figures say how long it took."""
    await start(page)
    await page.locator("#lines .line").first.wait_for()
    await stop(page)
    lines = await page.locator("#lines .line .words").all_inner_texts()
    assert lines
    await page.click("#copy")
    assert "".join((await page.evaluate("navigator.clipboard.readText()")).split()) == "".join(
        "".join(lines).split()
    )
    async with page.expect_download() as waiting:
        await page.click("[data-save=json]")
    saved = json.loads(await text_of(await waiting.value))
    assert [segment["text"] for segment in saved["segments"]] == lines
    assert all(segment["words"] for segment in saved["segments"])
    for figure in ("first", "word", "final"):
        await expect(page.locator(f"#figure-{figure}")).to_have_text(re.compile(r"\d\.\d\d s"))
    await page.locator("#lines .word").first.click()
    await page.locator(".line.playing").wait_for()


async def test_a_line_that_is_cut_loses_no_sample(browser: Browser, service: Service) -> None:
    """Twice in one session: once speech has begun, and while the server is away for a while."""
    async with line_to(service.url) as line, page_of(browser, line.url.replace("ws:", "http:")) as page:
        heard: list[dict[str, Any]] = []
        page.on(
            "websocket",
            lambda socket: socket.on("framereceived", lambda data: heard.append(json.loads(data))),
        )
        await start(page)
        await page.locator("#vad.on").wait_for()
        line.cut()
        await expect(page.locator("#figure-reconnects")).to_have_text("1")
        await page.locator("#lines .line").first.wait_for()
        target, line.target = line.target, "http://127.0.0.1:9"
        line.cut()
        await page.locator("body[data-live=away]").wait_for()
        line.target = target
        await expect(page.locator("#figure-reconnects")).to_have_text("2")
        await expect(page.locator("#live-note")).to_contain_text("nothing is lost")
        await stop(page)
        async with page.expect_download() as waiting:
            await page.click("[data-save=json]")
        captured_s = json.loads(await text_of(await waiting.value))["duration"]
        [closed] = [message for message in heard if message["type"] == "closed"]
        assert closed["duration"] == pytest.approx(captured_s, abs=0.001)
        finals = [message["utterance"] for message in heard if message["type"] == "final"]
        assert finals == list(range(len(finals)))


@pytest.mark.slow
async def test_with_the_keyboard_alone(page: Page) -> None:
    await page.keyboard.press("Tab")
    await expect(page.locator("#skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("#live-scroll")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("#record")).to_be_focused()
    await page.keyboard.press("Space")
    await page.locator("#lines .line").first.wait_for()
    await page.keyboard.press("Space")
    await page.locator("body[data-live=idle]").wait_for()
    await page.locator("#live-scroll").focus()
    await page.keyboard.press("Tab")
    await expect(page.locator("#lines .time").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.locator(".line.playing").wait_for()
    for key, view in (("2", "files"), ("3", "jobs"), ("4", "system"), ("1", "live")):
        await page.keyboard.press(key)
        await page.locator(f"#view-{view}").wait_for()
    await page.keyboard.press("?")
    await page.locator("#help-dialog[open]").wait_for()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help-dialog")).to_be_hidden()


async def test_text_of_the_server_stays_text(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url) as page:
        told = Told()
        await told.install(page)
        await start(page)
        partial = {"final": False, "utterance": 0, "start": 0, "end": 1, "offset": 0, "language": "en"}
        told.say("partial", text=MARKUP, committed=10, **partial)
        await expect(page.locator("#partial")).to_have_text(MARKUP)
        told.final(0, MARKUP)
        told.say("warning", code="x", message=MARKUP)
        await expect(page.locator("#lines .words")).to_have_text(MARKUP)
        await expect(page.locator("#live-note")).to_have_text(MARKUP)
        assert await page.locator("main img, main b, main script").count() == 0
        assert "Steno" in await page.title()
        await stop(page)


@pytest.mark.slow
async def test_an_hour_of_text_keeps_the_document_small(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url) as page:
        told = Told()
        await told.install(page)
        await start(page)
        offset = 0
        for number in range(HOUR):
            text = f"This is sentence number {number} of a long talk."
            told.final(number, text, offset=offset)
            offset += len(text) + 1
            if number == HOUR - 200:
                await page.evaluate(WATCH_PAINTS)
            if number % 400 == 399:
                await page.locator(f"#lines .line[data-index='{number}']").wait_for()
                assert await page.locator("#lines .line").count() <= ROWS_MAX
        nodes = await page.evaluate("document.querySelectorAll('*').length")
        paints = sorted(await page.evaluate("window.paints"))
        print(
            f"{HOUR} finals, {nodes} elements; the last painted in {paints[len(paints) // 2]:.0f} ms, median"
        )
        assert nodes < 15 * ROWS_MAX
        scroller = page.locator("#live-scroll")
        for _ in range(60):
            await scroller.evaluate("element => { element.scrollTop = 0 }")
            if int(await page.locator("#lines .line").first.get_attribute("data-index") or 0) < 2000:
                break
            await asyncio.sleep(0.02)
        assert await page.locator("#lines .line").count() <= ROWS_MAX
        told.final(HOUR, "The very last.", offset=offset)
        await expect(page.locator("#to-end")).to_be_visible()
        await page.click("#to-end")
        await expect(page.locator("#lines .line").last).to_contain_text("The very last.")
        await page.click("#copy")
        copied: str = await page.evaluate("navigator.clipboard.readText()")
        assert copied.count("This is sentence number") == HOUR
        await stop(page)


async def test_words_that_are_not_sure_are_marked(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url) as page:
        told = Told()
        await told.install(page)
        await start(page)
        told.final(0, "perhaps", probability=0.3)
        told.final(1, "surely", probability=0.9)
        await page.locator("#lines .line").nth(1).wait_for()
        assert await page.locator(".word.unsure").all_inner_texts() == ["perhaps"]
        await expect(page.locator(".word.unsure")).to_have_attribute("title", "Not sure: 30 %")
        await stop(page)


@pytest.mark.parametrize(
    ("code", "sentence", "action"),
    [
        ("no_capacity", "All workers are busy.", "Start again"),
        ("unauthorized", "This server needs an API key.", "Enter key"),
        ("something_new", "Something went wrong.", "Start again"),
    ],
)
async def test_what_the_server_refuses_is_a_sentence_and_a_next_step(
    browser: Browser, service: Service, code: str, sentence: str, action: str
) -> None:
    async with page_of(browser, service.url) as page:
        told = Told()
        await told.install(
            page, begin=lambda told: told.say("error", code=code, message="as it is", retryable=True)
        )
        await page.route("**/v1/models", lambda route: route.fulfill(status=200, json={"data": []}))
        await page.click("#record")
        await told.closed(1013)
        await expect(page.locator("#live-problem strong")).to_have_text(sentence)
        await expect(page.get_by_role("button", name=action)).to_be_visible()
        await expect(page.locator("body[data-live=idle]")).to_be_visible()


async def test_a_server_that_is_gone_is_told_of(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url) as page:
        await page.context.set_offline(True)
        await page.click("#record")
        await expect(page.locator("#live-problem strong")).to_have_text("The server does not answer.")
        await page.context.set_offline(False)
        await page.get_by_role("button", name="Start again").click()
        await page.locator("body[data-live=live]").wait_for()
        await expect(page.locator("#live-problem")).to_be_hidden()
        await stop(page)


async def test_a_microphone_that_is_denied(browser: Browser, service: Service) -> None:
    async with page_of(browser, service.url, may_listen=False) as page:
        await page.click("#record")
        await expect(page.locator("#live-problem strong")).to_have_text(
            "This page was not allowed to use the microphone."
        )
        await expect(page.get_by_role("button", name="Try again")).to_be_visible()
        await shoot(page, "live-denied")


async def test_no_microphone_and_no_https(service: Service) -> None:
    """Another name than localhost is not a secure context."""
    async with open_browser(flags=["--host-resolver-rules=MAP steno.test 127.0.0.1"]) as browser:
        async with page_of(browser, service.url) as page:
            await page.click("#record")
            await expect(page.locator("#live-problem strong")).to_have_text("No microphone was found.")
        url = service.url.replace("127.0.0.1", "steno.test")
        async with page_of(browser, url, may_listen=False) as page:
            await page.click("#record")
            await expect(page.locator("#live-problem strong")).to_contain_text("https://")
