"""One Chromium for each file of tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.browser import browser as open_browser
from tests.support.browser import write_microphone
from tests.support.speech import spoken

NAMES = ("en_quilter", "en_stew")
"""What the microphone says."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """For fixtures that live as long as a file of tests."""
    return "asyncio"


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the microphone plays: two readers, silence before, between and after them."""
    return write_microphone(tmp_path_factory.mktemp("microphone") / "talk.wav", spoken(*NAMES))


@pytest.fixture(scope="module")
async def browser(microphone: Path) -> AsyncGenerator[Browser]:
    """A browser whose microphone speaks."""
    async with open_browser(microphone) as browser:
        yield browser
