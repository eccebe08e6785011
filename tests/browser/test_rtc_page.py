"""The program of docs/rtc.md in Chromium, whose microphone speaks, in a page of another origin."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

pytest.importorskip("aiortc")

from tests.support.accuracy import wer
from tests.support.browser import browser as open_browser
from tests.support.browser import write_microphone
from tests.support.data import clip
from tests.support.http_stub import Answer, answering
from tests.support.service import Service, free_port
from tests.support.sound import pcm16, silence

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.model]

PROGRAM = re.findall(
    r"```js\n(.*?)```", (Path(__file__).parents[2] / "docs" / "rtc.md").read_text(encoding="utf-8"), re.DOTALL
)[0]
HTML = '<p id="text"></p><button id="stop">Stop</button><script type="module">{}</script>'


@pytest.mark.parametrize(
    "flags", [(), ("--allow-loopback-in-peer-connection",)], ids=["as it is", "loopback"]
)
async def test_the_program_of_the_manual_runs(tmp_path: Path, flags: tuple[str, ...]) -> None:
    said = clip("en_quilter")
    talk = pcm16(silence(0.5), said.samples(), silence(3.0))
    microphone = write_microphone(tmp_path / "words.wav", talk)
    pages: list[bytes] = []
    errors: list[str] = []
    headers = {"Content-Type": "text/html; charset=utf-8"}
    with (
        answering(lambda asked: Answer(200, pages[0], headers)) as elsewhere,
        Service.running(
            tmp_path, modules=("api", "worker"), origins=elsewhere.url, rtc_port=str(free_port())
        ) as service,
    ):
        pages.append(HTML.format(PROGRAM.replace("https://steno.example.com", service.url)).encode())
        async with open_browser(microphone, flags=flags) as browser:
            text = await _played(browser, elsewhere.url, errors)
    assert not errors
    assert wer(said.text, text) <= 0.2


async def _played(browser: Browser, url: str, errors: list[str]) -> str:
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(url)
    await page.locator("#text:not(:empty)").wait_for()
    await page.click("#stop")
    await expect(page.locator("#stop")).to_have_text(re.compile(r"\d\.\d s"))
    text = await page.locator("#text").inner_text()
    await context.close()
    return text
