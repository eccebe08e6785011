"""The program of docs/sdk-js.md, in a page of another origin."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.http_stub import Answer, answering
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MANUAL = (Path(__file__).parents[2] / "docs" / "sdk-js.md").read_text(encoding="utf-8")


async def test_the_program_of_the_manual_runs(browser: Browser, tmp_path: Path) -> None:
    program = re.findall(r"```js\n(.*?)```", MANUAL, re.DOTALL)[0]
    html = '<p id="text"></p><button id="stop">Stop</button><script type="module">{}</script>'
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    pages: list[bytes] = []
    headers = {"Content-Type": "text/html; charset=utf-8"}
    with (
        answering(lambda asked: Answer(200, pages[0], headers)) as elsewhere,
        Service.running(
            tmp_path, engine="scripted", modules=("api", "worker"), origins=elsewhere.url
        ) as service,
    ):
        pages.append(html.format(program.replace("https://steno.example.com/", f"{service.url}/")).encode())
        await page.goto(elsewhere.url)
        await page.locator("#text:not(:empty)").wait_for()
        await page.click("#stop")
        await expect(page.locator("#stop")).to_have_text(re.compile(r"\d\.\d s"))
        await context.close()
    assert not errors
