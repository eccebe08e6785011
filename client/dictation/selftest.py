"""`steno dictate selftest`: tries each part of dictation on this very desktop, and says what to do about each
that fails. What no test elsewhere can show is asked here, through the ports: that audio comes, that text
arrives, that a hot key is heard. It shows lengths, times and loudness, never what is said.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from client.dictation.app import Desktop
from client.dictation.core.chords import Chord
from client.dictation.loudness import loudness
from client.dictation.ports import FRAME_BYTES, Capture, Hotkey, Need, Page, Permissions, Typer, Wish
from client.dictation.settings import Settings
from client.errors import NotInstalled
from client.stream import connect
from shared.errors import StenoError

Status = Literal["ok", "warn", "fail", "skip"]

LISTEN_S: Final = 2.0
FIRST_MS_MAX: Final = 150.0
"""From the key press to the first audio: later, and the first word is cut."""
QUIET_DB: Final = -75.0
"""No room is as quiet as that: the microphone is muted, or another one is used."""
KEY_S_MAX: Final = 15.0
CHARACTERS_PER_S_MIN: Final = 400.0
_OPEN_S_MAX: Final = 15.0
_MARKS: Final[dict[Status, str]] = {"ok": "PASS", "warn": "WARN", "fail": "FAIL", "skip": "skip"}

_REPORT: Final = "Report this line."
_OTHER_MICROPHONE: Final = "Choose another microphone in the system's sound settings."
_PROTECTED: Final = "Leave the password field; else quit programs that protect the keyboard."
_HANDS_OFF: Final = "Keep your hands off and run it again; if it stays, report this line."

CORPUS: Final = (
    "Plain ASCII 0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "Straße, façade, niño, Øre, Łódź, ﬁ – “quoted” … €",
    "Привет мир; Καλημέρα; שלום; مرحبا; नमस्ते; สวัสดี",
    "中文 日本語 かな 한국어 각",
    "e\u0301 as two, é as one",
    "👍 👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️‍🔥 𝔘𝔫𝔦",
    "0123456789abcdefghi👍 twenty units and a pair across them",
    "Tab\there, a line\nand another.",
)
"""What is typed into the window of the test."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `remedy` is a sentence, empty when all is well."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def run(checks: Mapping[str, Check]) -> Iterator[Finding]:
    """All findings, as they are made. A check that breaks is a finding too."""
    for name, check in checks.items():
        try:
            yield from check()
        except NotInstalled as error:
            yield Finding(name, "fail", "a package is missing", error.message)
        except StenoError as error:
            yield Finding(name, "fail", error.message, "Do what it says, then run this again.")
        except Exception as error:  # noqa: BLE001 - the others are still of interest
            # Not its text: what may be in it is not known.
            yield Finding(name, "fail", f"{type(error).__name__} in {name}", _REPORT)


def permissions(port: Permissions) -> Iterator[Finding]:
    """What the user has allowed."""
    needs: tuple[Need, ...] = ("microphone", "typing")
    for need in needs:
        state = port.state(need)
        if state == "granted":
            yield Finding(f"may {need}", "ok", "allowed")
        else:
            port.request(need)
            is_denied = state == "denied"
            why = "not allowed" if is_denied else "never asked, or this system does not say"
            yield Finding(f"may {need}", "fail" if is_denied else "warn", why, port.advice(need))


def microphone(port: Capture, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Finding]:
    """Whether audio comes, how soon, how evenly, how loud; and that it ends."""
    frames: list[tuple[float, bytes]] = []
    losses: list[str] = []
    began = clock()
    port.start(lambda frame: frames.append((clock(), frame)), losses.append)
    ends = began + LISTEN_S
    while clock() < ends and not losses:
        time.sleep(0.01)
    port.stop()
    count = len(frames)
    if not frames:
        detail = losses[0] if losses else f"no audio within {LISTEN_S:g} s"
        yield Finding("first audio", "fail", detail, _OTHER_MICROPHONE)
        return
    first_ms = 1000 * (frames[0][0] - began)
    slow = first_ms > FIRST_MS_MAX
    remedy = (
        "Wait for the start sound before you speak; microphones with a cable are quicker." if slow else ""
    )
    yield Finding("first audio", "warn" if slow else "ok", f"after {first_ms:.0f} ms", remedy)
    wrong = sum(len(frame) != FRAME_BYTES for _, frame in frames)
    gaps_ms = 1000 * np.diff([at for at, _ in frames]) if count > 1 else np.zeros(1)
    detail = f"{count} frames of 20 ms in {LISTEN_S:g} s; longest wait {gaps_ms.max():.0f} ms"
    short = count < 0.8 * (LISTEN_S - first_ms / 1000) / 0.02
    if wrong or short or losses:
        yield Finding("audio", "fail", "; ".join([detail, *losses]), _OTHER_MICROPHONE)
    else:
        yield Finding("audio", "ok", detail)
    yield _loudness(b"".join(frame for _, frame in frames))
    time.sleep(0.1)
    if len(frames) > count:
        yield Finding("microphone off", "fail", "audio came after it was closed", _REPORT)
    else:
        yield Finding("microphone off", "ok", "nothing came after it was closed")


def _loudness(audio: bytes) -> Finding:
    _, level_db = loudness(audio)
    if level_db < QUIET_DB:
        remedy = "Unmute the microphone or choose another one; where it is not allowed, systems give silence."
        return Finding("loudness", "fail", f"{level_db:.0f} dBFS: silence", remedy)
    return Finding("loudness", "ok", f"{level_db:.0f} dBFS")


def typing(port: Typer, page: Page | None) -> Iterator[Finding]:
    """Whether every character arrives, in a window of the test's own."""
    wanted = "\n".join(CORPUS)
    if page is None:
        target = port.target()
        secure = ", which keeps its input secret" if target.is_secure else ""
        yield Finding("typing", "skip", f"nothing is typed into {target.app or 'an unnamed app'}{secure}")
        return
    page.open()
    try:
        target = port.target()
        if target.is_secure:
            yield Finding("typing", "fail", "a password field has the keyboard", _PROTECTED)
            return
        status: Status = "ok" if target.app and target.window else "warn"
        yield Finding("front app", status, f"app {target.app or '?'}, window {target.window or '?'}")
        before, began = port.presses(), time.monotonic()
        port.type(wanted, "return")
        took_s = time.monotonic() - began
        got = _settled(page, wanted)
        yield _compared(wanted, got, took_s)
        if port.presses() == before:
            yield Finding("user's keys", "ok", "own events are not counted")
        else:
            yield Finding("user's keys", "warn", "own events count as the user's, or you typed", _HANDS_OFF)
        port.erase(len(got))
        port.paste(wanted)
        yield _compared(wanted, _settled(page, wanted), None)
    finally:
        page.close()


def _settled(page: Page, wanted: str) -> str:
    """What is in the field when nothing more comes."""
    text, since = page.text(), time.monotonic()
    while text != wanted and time.monotonic() - since < 2.0:
        time.sleep(0.05)
        if (now := page.text()) != text:
            text, since = now, time.monotonic()
    return text


def _compared(wanted: str, got: str, took_s: float | None) -> Finding:
    name = "typing" if took_s is not None else "pasting"
    if got == wanted:
        if took_s is None:
            return Finding(name, "ok", f"{len(wanted)} characters exact")
        per_s = len(wanted) / max(took_s, 1e-9)
        status: Status = "ok" if per_s >= CHARACTERS_PER_S_MIN else "warn"
        return Finding(name, status, f"{len(wanted)} characters exact, {per_s:.0f} a second")
    # The corpus is ours, so it may be shown.
    place = next((n for n, pair in enumerate(zip(wanted, got, strict=False)) if pair[0] != pair[1]), len(got))
    detail = f"{len(got)} of {len(wanted)} characters; differs at {place}: {wanted[place : place + 8]!a}"
    return Finding(name, "fail", detail, _HANDS_OFF)


def hotkeys(
    port: Hotkey, typer: Typer, chords: Mapping[str, Chord], say: Callable[[str], None] | None
) -> Iterator[Finding]:
    """Whether the keys can be had; and, where there is somebody to press them, whether they are heard, and
    counted once, however long they are held."""
    heard: dict[str, list[bool]] = {name: [] for name in chords}
    released = {name: threading.Event() for name in chords}

    def on_key(name: str, is_down: bool) -> None:
        heard[name].append(is_down)
        if not is_down:
            released[name].set()

    port.start(chords, on_key)
    try:
        for name, chord in chords.items():
            if say is None:
                yield Finding(f"key {name}", "skip", f"{chord} is free; nobody was there to press it")
                continue
            before = typer.presses()
            say(f"Press {chord}, hold it for a second, and let it go.")
            was_heard = released[name].wait(KEY_S_MAX)
            if was_heard and heard[name] == [True, False]:
                yield Finding(f"key {name}", "ok", f"{chord}: pressed once, let go once")
            else:
                detail = f"{chord}: heard {len(heard[name])} events within {KEY_S_MAX:g} s"
                yield Finding(f"key {name}", "fail", detail, "Choose other keys in the settings.")
                continue
            after = typer.presses()
            if before is not None and after is not None and after - before != 1:
                detail = f"{chord} counts as {after - before} presses of the user"
                yield Finding(f"count {name}", "warn", detail, _HANDS_OFF)
    finally:
        port.stop()


def server(settings: Settings, ports: Desktop) -> Iterator[Finding]:
    """Whether a session can be opened."""

    async def opened() -> str:
        async with connect(
            settings.url,
            api_key=settings.api_key(),
            options=settings.options(),
            open_s=_OPEN_S_MAX,
            dial=ports.dial,
        ) as session:
            return session.ready.session

    began = time.monotonic()
    session = asyncio.run(opened())
    yield Finding("server", "ok", f"session {session} open after {1000 * (time.monotonic() - began):.0f} ms")


def run_selftest(settings: Settings, desktop: Callable[..., Desktop]) -> bool:
    """Print what each check finds. Returns whether none failed."""
    try:
        ports = desktop(settings, plain=True)
    except StenoError as error:
        _show(Finding("desktop", "fail", error.message))
        return False
    say = print if sys.stdin.isatty() else None
    checks: dict[str, Check] = {
        "permissions": lambda: permissions(ports.permissions),
        "microphone": lambda: microphone(ports.capture),
        "hotkeys": lambda: hotkeys(ports.hotkey, ports.typer, settings.hotkey.chords(), say),
        "typing": lambda: typing(ports.typer, ports.page),
        "server": lambda: server(settings, ports),
    }
    found: list[Finding] = []
    is_over = threading.Event()

    def work() -> None:
        for finding in run(checks):
            found.append(finding)
            _show(finding)
            if is_over.is_set():
                break
        ports.typer.close()

    def wished(wish: Wish) -> None:
        if wish == "quit":
            is_over.set()

    ports.shell.run(work, wished, lambda: None)
    return bool(found) and not is_over.is_set() and all(finding.status != "fail" for finding in found)


def _show(finding: Finding) -> None:
    print(f"{_MARKS[finding.status]}  {finding.name:16} {finding.detail}", flush=True)
    if finding.remedy:
        print(f"{'':24}{finding.remedy}", flush=True)
