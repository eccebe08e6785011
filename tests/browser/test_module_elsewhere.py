"""The module in a page of another origin: the program of docs/sdk-js.md, and a file job."""

import re
from base64 import b64encode
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.data import clip
from tests.support.http_stub import Answer, answering
from tests.support.media import write_media
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


JOB = """
import { Jobs } from "EDGE/static/steno.js";
const shown = document.querySelector("#text");
const jobs = new Jobs({ url: "EDGE/" });
try {
  const bytes = await (await fetch("data:audio/wav;base64,AUDIO")).arrayBuffer();
  const job = await jobs.submit(new File([bytes], "a.wav"), { language: "en" });
  let segments = 0;
  for await (const { type } of jobs.events(job.id)) segments += type === "segment";
  const text = await jobs.result(job.id, "txt");
  await jobs.remove(job.id);
  const { jobs: left } = await jobs.list();
  shown.textContent = `${segments > 0}, ${text.length > 0}, ${left.length}`;
} catch (error) {
  shown.textContent = error.code ?? String(error);
}
"""


@pytest.mark.parametrize(("is_let_in", "shown"), [(True, "true, true, 0"), (False, "unreachable")])
async def test_a_file_job_of_another_page(
    browser: Browser, tmp_path: Path, is_let_in: bool, shown: str
) -> None:
    """Upload, events, result, delete, list; a page that is not let in gets nowhere."""
    audio = write_media(tmp_path / "a.wav", clip("en_twain").samples()[: 3 * 16_000]).read_bytes()
    context = await browser.new_context()
    page = await context.new_page()
    pages: list[bytes] = []
    headers = {"Content-Type": "text/html; charset=utf-8"}
    with answering(lambda asked: Answer(200, pages[0], headers)) as elsewhere:
        origins = elsewhere.url if is_let_in else "https://other.example"
        with Service.running(tmp_path, engine="scripted", origins=origins) as service:
            program = JOB.replace("EDGE", service.url).replace("AUDIO", b64encode(audio).decode())
            pages.append(f'<p id="text"></p><script type="module">{program}</script>'.encode())
            await page.goto(elsewhere.url)
            await expect(page.locator("#text")).to_have_text(shown, timeout=60_000)
            await context.close()
