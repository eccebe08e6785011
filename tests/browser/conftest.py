"""One Chromium for each file of tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from shared.audio.pcm import SAMPLE_RATE
from tests.support.browser import browser as open_browser
from tests.support.browser import write_microphone
from tests.support.data import clip
from tests.support.sound import pcm16, silence

SPEECH_S = 1.8
"""How long the microphone speaks: the beginning of a sentence, so that its line is there soon."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """For fixtures that live as long as a file of tests."""
    return "asyncio"


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the microphone plays: a few words, between silences."""
    words = clip("en_quilter").samples()[: round(SPEECH_S * SAMPLE_RATE)]
    talk = pcm16(silence(0.4), words, silence(2.0))
    return write_microphone(tmp_path_factory.mktemp("microphone") / "words.wav", talk)


@pytest.fixture(scope="module")
async def browser(microphone: Path) -> AsyncGenerator[Browser]:
    """A browser whose microphone speaks."""
    async with open_browser(microphone) as browser:
        yield browser
