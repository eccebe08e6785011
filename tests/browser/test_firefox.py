"""The page in Firefox: what it takes of a microphone, text as it comes, the other views."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.support.bidi import Tab, firefox
from tests.support.browser import ARTEFACTS, DESKTOP, PHONE
from tests.support.data import clip
from tests.support.service import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SPEAK = """(async (wav) => {
  const context = new AudioContext();
  const bytes = Uint8Array.from(atob(wav), (char) => char.charCodeAt(0));
  const buffer = await context.decodeAudioData(bytes.buffer);
  navigator.mediaDevices.getUserMedia = async () => {
    const device = new MediaStreamAudioDestinationNode(context);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(device);
    source.start();
    return device.stream;
  };
})"""
WIDE = "document.documentElement.scrollWidth"


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncGenerator[Tab]:
    async with firefox(tmp_path) as tab:
        await tab.size(**DESKTOP)
        yield tab


async def test_a_microphone_of_its_own_and_speech_become_text(
    tab: Tab, service: Service, microphone: Path
) -> None:
    """First its fake device, which hums; then words, through the same worklet."""
    await tab.go(service.url)
    await tab.until("document.querySelector('nav a[aria-current]') !== null")
    await tab.click("#record")
    await tab.until("document.body.dataset.live === 'live'")
    await tab.until("Number(document.querySelector('#level').ariaValueNow) > -50")
    await tab.click("#record")
    await tab.until("document.body.dataset.live === 'idle'")
    assert await tab.value("document.querySelector('#live-problem').hidden")
    wav = await asyncio.to_thread(microphone.read_bytes)
    await tab.value(f"{SPEAK}({json.dumps(base64.b64encode(wav).decode())})")
    await tab.click("#record")
    await tab.until("document.querySelector('#lines .line') !== null")
    await tab.click("#record")
    await tab.until("document.body.dataset.live === 'idle'")
    assert await tab.value("document.querySelector('#lines .words').textContent.length > 0")
    await tab.click("#lines .word")
    await tab.until("document.querySelector('.line.playing') !== null")
    await tab.shoot(ARTEFACTS / "firefox-live.png")


async def test_without_a_speaker_it_says_so(tmp_path: Path, service: Service) -> None:
    """Firefox would wait for ever."""
    async with firefox(tmp_path, can_play=False) as tab:
        await tab.go(service.url)
        await tab.until("document.querySelector('nav a[aria-current]') !== null")
        await tab.click("#record")
        await tab.until("!document.querySelector('#live-problem').hidden")
        told = await tab.value("document.querySelector('#live-problem strong').textContent")
        assert told == "The browser's sound does not start."


async def test_a_file_becomes_text_and_every_view_fits(tab: Tab, service: Service) -> None:
    await tab.go(f"{service.url}/#/files")
    await tab.until("document.querySelector('nav a[aria-current]') !== null")
    content = base64.b64encode(await asyncio.to_thread(clip("en_demo").path.read_bytes)).decode()
    await tab.value(
        """((content) => {
          const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
          const chosen = new DataTransfer();
          chosen.items.add(new File([bytes], "en_demo.flac", { type: "audio/flac" }));
          const input = document.querySelector("#file-input");
          input.files = chosen.files;
          input.dispatchEvent(new Event("change"));
        })"""
        f"({json.dumps(content)})"
    )
    await tab.until("document.querySelector('#cards .file-state')?.textContent.startsWith('Finished')")
    assert await tab.value("document.querySelectorAll('#cards .line').length > 0")
    await tab.shoot(ARTEFACTS / "firefox-files.png")
    await tab.size(**PHONE)
    held = {"live": "#record", "files": ".line", "jobs": "#job-rows tr", "system": "#system-body table"}
    for view, what in held.items():
        await tab.go(f"{service.url}/#/{view}")
        await tab.until(f"document.querySelector('#view-{view}:not([hidden]) {what}') !== null")
        assert await tab.value(WIDE) <= PHONE["width"]
        await tab.shoot(ARTEFACTS / f"firefox-{view}-phone.png")
