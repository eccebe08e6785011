"""Real speech into the page's microphone, with real weights: its text, also when the edge dies meanwhile."""

import signal
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.accuracy import wer
from tests.support.browser import page_of, shoot, write_microphone
from tests.support.data import clip
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow]

NAMES = ("en_quilter", "en_stew")
REFERENCE = " ".join(clip(name).text for name in NAMES)
WER_MAX = 0.12
SPEECH_MS_MAX = 60_000


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two readers, with silence before, between and after them."""
    return write_microphone(tmp_path_factory.mktemp("microphone") / "talk.wav", spoken(*NAMES))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service whose edge may be killed."""
    with Service.running(
        tmp_path_factory.mktemp("own"), model="tiny.en", modules=("api", "worker")
    ) as running:
        yield running


@pytest.fixture
async def page(browser: Browser, own: Service) -> AsyncGenerator[Page]:
    async with page_of(browser, own.url) as page:
        await page.select_option("#language", "en")
        yield page


async def said(page: Page) -> str:
    """Everything, once the last sentence is there."""
    last = clip(NAMES[-1]).text.split()[-1]
    await expect(page.locator("#lines")).to_contain_text(last, timeout=SPEECH_MS_MAX)
    await page.click("#record")
    await page.locator("body[data-live=idle]").wait_for()
    return " ".join(await page.locator("#lines .words").all_inner_texts())


async def test_speech_is_understood(page: Page) -> None:
    await page.click("#record")
    await page.locator("#partial-soft:not(:empty)").wait_for(timeout=SPEECH_MS_MAX)
    await page.locator("#vad.on").wait_for()
    await shoot(page, "live-speaking")
    text = await said(page)
    await shoot(page, "live-said")
    print(text)
    assert wer(REFERENCE, text) <= WER_MAX


async def test_the_edge_dies_in_mid_sentence_and_nothing_is_lost(page: Page, own: Service) -> None:
    await page.click("#record")
    await page.locator("#partial-soft:not(:empty)").wait_for(timeout=SPEECH_MS_MAX)
    own.end("api", signal.SIGKILL)
    await page.locator("body[data-live=away]").wait_for()
    await shoot(page, "live-away")
    own.start("api")
    await page.locator("body[data-live=live]").wait_for(timeout=SPEECH_MS_MAX)
    await expect(page.locator("#live-note")).to_contain_text("nothing is lost")
    text = await said(page)
    print(text)
    assert wer(REFERENCE, text) <= WER_MAX
    await expect(page.locator("#figure-reconnects")).to_have_text("1")
