"""The echo bot's page in Chromium: what its microphone says is shown, answered, and said back."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from shared.guard import Guard
from tests.support.accuracy import wer
from tests.support.browser import browser as open_browser
from tests.support.browser import shoot, write_microphone
from tests.support.data import clip
from tests.support.service import free_port
from tests.support.sound import pcm16, silence

pytestmark = [pytest.mark.anyio, pytest.mark.fastrtc, pytest.mark.model]

SPOKEN = clip("en_quilter")
READY_S_MAX = 120
# A browser's own addresses are hidden behind names of the local network, unless the page has a microphone; on
# a machine without a network there is none but this.
FLAGS = ["--allow-loopback-in-peer-connection"]
SUM_PLAYED = """async () => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(document.querySelector("#voice").srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  for (let i = 0; i < 600; i += 1) {
    analyser.getFloatTimeDomainData(samples);
    if (samples.some((x) => Math.abs(x) > 0.02)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}"""


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline_s = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline_s:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    pytest.fail("the bot does not listen")


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Address of a running echo bot."""
    port = free_port()
    log = tmp_path_factory.mktemp("echo") / "log"
    environment = os.environ | {"STT_BACKEND": "faster", "STT_MODEL": "tiny.en", "STT_DEVICE": "cpu"}
    guard = Guard()
    with log.open("wb") as out:
        command = [sys.executable, "-m", "assistant.echo", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    guard.add(process.pid)
    try:
        wait_until_it_listens(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        guard.close()
    assert SPOKEN.text.split()[1] not in log.read_text()


@pytest.fixture(scope="module")
async def talking(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Browser]:
    talk = pcm16(silence(0.6), SPOKEN.samples(), silence(4.0))
    microphone = write_microphone(tmp_path_factory.mktemp("microphone") / "talk.wav", talk)
    async with open_browser(microphone, flags=FLAGS) as browser:
        yield browser


@pytest.fixture
async def page(talking: Browser, bot: str) -> AsyncGenerator[Page]:
    context = await talking.new_context(permissions=["microphone"], viewport={"width": 900, "height": 640})
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    await page.goto(bot)
    yield page
    await context.close()
    assert not problems


async def test_what_is_said_is_shown_answered_and_said_back(page: Page) -> None:
    await page.click("#call")
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    await expect(page.locator("#open")).to_have_text(re.compile(r"\w{3}"))
    await shoot(page, "echo-partial")
    await expect(page.locator("#talk .bot").first).to_contain_text("You said: ")
    assert await page.evaluate(SUM_PLAYED)
    said = " ".join(await page.locator("#talk .you").all_inner_texts())
    await shoot(page, "echo")
    assert wer(SPOKEN.text, said) <= 0.15
    await page.click("#call")
    await expect(page.locator("body")).to_have_attribute("data-state", "idle")


async def test_a_page_without_a_microphone_says_so(talking: Browser, bot: str, page: Page) -> None:
    context = await talking.new_context()
    denied = await context.new_page()
    await denied.goto(bot)
    await denied.click("#call")
    await expect(denied.locator("#status")).to_contain_text("no microphone")
    await context.close()
