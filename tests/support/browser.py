"""Chromium with a microphone that plays a file, for tests of the web page."""

import asyncio
import json
import os
import re
import shutil
import wave
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Download,
    Page,
    WebSocketRoute,
    async_playwright,
    expect,
)

from shared.audio.pcm import SAMPLE_RATE
from tests.support.encodings import encoded

ARTEFACTS = Path(__file__).parent.parent / "browser" / "artefacts"
"""Where screenshots are left."""
FAKE_RATE = 48_000
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
LIVE_SOCKET = re.compile(r".*/v1/stream.*")
expect.set_options(timeout=30_000)
"""As long as Playwright waits for all else: a machine may be busy."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Where it is. Skips the test when there is none."""
    if found := next(filter(None, map(shutil.which, _NAMES)), None):
        return found
    pytest.skip("there is no Chromium; deploy/ci/system-packages.sh installs it")


def write_microphone(path: Path, pcm16: bytes) -> Path:
    """A file that the fake microphone plays, from canonical audio."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(FAKE_RATE)
        file.writeframes(encoded(pcm16, "pcm16", FAKE_RATE, 1))
    assert path.stat().st_size > len(pcm16) * FAKE_RATE // SAMPLE_RATE * 0.99  # a wrong path would be silent
    return path


@asynccontextmanager
async def browser(
    microphone: Path | None = None, *, flags: Iterable[str] = (), is_muted: bool = True
) -> AsyncGenerator[Browser]:
    """A browser. Its microphone plays the file from the start whenever a page asks for it; without one there
    is no microphone. A muted one shares tabs without their sound."""
    arguments = [
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--autoplay-policy=no-user-gesture-required",
        *flags,
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    if microphone is not None:
        arguments += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
        ]
    async with async_playwright() as playwright:
        unwanted = [] if is_muted else ["--mute-audio"]
        started = await playwright.chromium.launch(
            executable_path=chromium(), args=arguments, ignore_default_args=unwanted
        )
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def page_of(
    browser: Browser, url: str, *, path: str = "/", may_listen: bool = True, **options: Any
) -> AsyncGenerator[Page]:
    """The web page, open and ready. Fails at the end if it reported an error or broke its policy."""
    permissions = ["microphone", "clipboard-read", "clipboard-write"] if may_listen else []
    context = await browser.new_context(**({"viewport": DESKTOP, "permissions": permissions} | options))
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: (
            problems.append(said.text) if "Security Policy" in said.text or "Trusted" in said.text else None
        ),
    )
    try:
        await page.goto(url + path)
        await page.locator("nav a[aria-current]").wait_for()
        yield page
        assert not problems
    finally:
        await _close(context)


async def _close(context: BrowserContext) -> None:
    for page in context.pages:
        await page.close(run_before_unload=False)
    await context.close()


async def shoot(page: Page, name: str) -> None:
    """Keep a screenshot."""
    ARTEFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTEFACTS / f"{name}.png")


async def text_of(download: Download) -> str:
    """What a page gave to be saved."""
    path = await download.path()
    return await asyncio.to_thread(path.read_text, encoding="utf-8")


JOB_LIST = re.compile(r".*/v1/jobs\?.*")
FAILED_JOB = {
    "id": "f" * 32,
    "name": "<img src=x onerror=alert(1)> and a name that is longer than a telephone is wide.mp3",
    "status": "failed",
    "progress": 0.4,
    "duration": 61.0,
    "created_at": "2026-01-01T12:00:00Z",
    "error": {"code": "engine_fault", "message": "<b>it broke</b>", "retryable": True},
}
READY = {
    "type": "ready",
    "seq": 1,
    "session": "s",
    "token": "t",
    "model": "none",
    "limits": {"message_bytes_max": 1 << 22, "session_s_max": 1e5, "resume_s": 30},
}


class Told:
    """A server's side of a live session, said by a test: for what no real server would say at once."""

    def __init__(self) -> None:
        self._socket: WebSocketRoute | None = None
        self._seq = 1
        self._opened = asyncio.Event()

    async def install(self, page: Page, *, begin: Callable[["Told"], None] | None = None) -> None:
        """Answer the page's live sessions. `begin` says something else than `ready`."""

        def opened(socket: WebSocketRoute) -> None:
            self._socket, self._seq = socket, 1
            socket.on_message(self._heard)
            self._opened.set()
            if begin is None:
                socket.send(json.dumps(READY))
            else:
                begin(self)

        await page.route_web_socket(LIVE_SOCKET, opened)

    def say(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        assert self._socket is not None
        self._seq += 1
        self._socket.send(json.dumps({"type": kind, "seq": self._seq, **fields}))

    def final(self, number: int, text: str, *, offset: int = 0, probability: float = 1.0) -> None:
        """Send an utterance of one second as a final, with its words."""
        words = [
            {
                "text": word,
                "start": number + i / 100,
                "end": number + (i + 1) / 100,
                "probability": probability,
            }
            for i, word in enumerate(text.split())
        ]
        self.say(
            "final",
            text=text,
            final=True,
            utterance=number,
            start=number,
            end=number + 0.9,
            committed=len(text),
            offset=offset,
            language="en",
            confidence=0.9,
            no_speech=0.0,
            covered=number + 1,
            words=words,
        )

    async def closed(self, code: int) -> None:
        """Close the connection once the page has it."""
        await self._opened.wait()
        assert self._socket is not None
        await self._socket.close(code=code, reason="")

    def _heard(self, message: str | bytes) -> None:
        if isinstance(message, str) and json.loads(message)["type"] == "end":
            self.say("closed", reason="end", duration=1.0, utterances=1)
