"""Firefox, driven over WebDriver BiDi, the W3C's protocol that it speaks by itself: enough of it for a few
tests of the web page. Playwright's own Firefox is a patched one; this is the one that people have."""

import asyncio
import base64
import json
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from shared.tasks import end_tasks

_NAMES = ("firefox-esr", "firefox")
_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
_START_S_MAX = 60.0
_WAIT_S_MAX = 60.0
_END_S_MAX = 10.0
_MESSAGE_BYTES_MAX = 1 << 26
_PREFERENCES: dict[str, bool | int | str] = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,  # a microphone that hums
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Tab:
    """A page in Firefox."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = count(1)
        self._context = ""

    async def begin(self) -> None:
        """Take the tab that the browser has opened."""
        await self._ask("session.new", capabilities={})
        tree = await self._ask("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def go(self, url: str) -> None:
        """Load a page."""
        await self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def size(self, width: int, height: int) -> None:
        """Make the page so large, in CSS pixels."""
        viewport = {"width": width, "height": height}
        await self._ask("browsingContext.setViewport", context=self._context, viewport=viewport)

    async def value(self, expression: str) -> Any:
        """What an expression is in the page, by way of JSON; a promise is waited for."""
        found = await self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert found["type"] == "success", found["exceptionDetails"]["text"]
        return json.loads(found["result"]["value"])

    async def until(self, expression: str) -> None:
        """Wait until it is true in the page."""
        async with asyncio.timeout(_WAIT_S_MAX):
            await self.value(
                "(async () => { while (!(" + expression + "))"
                " await new Promise((resolve) => setTimeout(resolve, 50)); })()"
            )

    async def click(self, selector: str) -> None:
        """Click with a pointer, as a person does."""
        x, y = await self.value(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]; })()"
        )
        moves = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": "mouse", "actions": moves}
        await self._ask("input.performActions", context=self._context, actions=[pointer])

    async def shoot(self, path: Path) -> None:
        """Keep a screenshot."""
        found = await self._ask("browsingContext.captureScreenshot", context=self._context)
        await asyncio.to_thread(_write, path, base64.b64decode(found["data"]))

    async def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await self._socket.recv())
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]


@asynccontextmanager
async def firefox(profile: Path, *, can_play: bool = True) -> AsyncGenerator[Tab]:
    """A Firefox with one tab, on a machine that can play sound or not. Skips the test when there is none."""
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip("there is no Firefox; deploy/ci/system-packages.sh installs it")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    await asyncio.to_thread((profile / "user.js").write_text, "\n".join(lines), encoding="utf-8")
    async with AsyncExitStack() as stack:
        sound = await stack.enter_async_context(_speaker(profile)) if can_play else f"unix:{profile}/none"
        address = await stack.enter_async_context(_browser(executable, profile, {"PULSE_SERVER": sound}))
        socket = await stack.enter_async_context(
            connect(f"{address}/session", max_size=_MESSAGE_BYTES_MAX, ping_interval=None, proxy=None)
        )
        tab = Tab(socket)
        await tab.begin()
        yield tab


@asynccontextmanager
async def _browser(executable: str, profile: Path, environment: dict[str, str]) -> AsyncGenerator[str]:
    """Where it listens."""
    process = await asyncio.create_subprocess_exec(
        executable,
        "--headless",
        "--no-remote",
        "--remote-debugging-port=0",
        f"--profile={profile}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(profile) | environment,
    )
    async with _ended(process):
        assert process.stderr is not None
        async with asyncio.timeout(_START_S_MAX):
            address = await _address(process.stderr)
        draining = asyncio.create_task(process.stderr.read(), name="draining")
        try:
            yield address
        finally:
            await end_tasks([draining])


@asynccontextmanager
async def _speaker(folder: Path) -> AsyncGenerator[str]:
    """A sound server whose speaker nobody hears; its address. Firefox processes no sound on a machine that
    can't play any."""
    if (executable := shutil.which("pulseaudio")) is None:
        pytest.skip("there is no PulseAudio; deploy/ci/system-packages.sh installs it")
    socket = folder / "sound"
    process = await asyncio.create_subprocess_exec(
        executable,
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--load=module-null-sink",
        f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(folder),
    )
    async with _ended(process):
        async with asyncio.timeout(_START_S_MAX):
            while not await asyncio.to_thread(socket.exists):  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        yield f"unix:{socket}"


@asynccontextmanager
async def _ended(process: asyncio.subprocess.Process) -> AsyncGenerator[None]:
    """At the end it is asked to end, and killed if it does not."""
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(_END_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own."""
    return {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "XDG_RUNTIME_DIR": str(folder),
        "MOZ_CRASHREPORTER_DISABLE": "1",
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


async def _address(stderr: asyncio.StreamReader) -> str:
    async for line in stderr:
        if found := _LISTENS.search(line):
            return found[1].decode()
    raise AssertionError("Firefox ended before it could be spoken to")
