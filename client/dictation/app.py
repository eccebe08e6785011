"""Joins the core with a desktop and a server. One asyncio loop, on a thread beside the desktop's main
loop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from client.dialing import dial
from client.dictation import control
from client.dictation.core.machine import Dictation
from client.dictation.core.moves import (
    AudioLost,
    CaptureFailed,
    DropSession,
    Effect,
    EndSession,
    Erase,
    Forget,
    Heard,
    HoldKey,
    Input,
    Look,
    Note,
    OpenSession,
    Paste,
    Play,
    StartCapture,
    StopCapture,
    Tick,
    Toggle,
    TurnOff,
    TurnOn,
    Type,
    Undo,
)
from client.dictation.core.recording import Recording
from client.dictation.core.target import Target
from client.dictation.core.view import View
from client.dictation.hand import Hand, note_fault
from client.dictation.live import Live
from client.dictation.loudness import loudness
from client.dictation.ports import Capture, Hotkey, Page, Permissions, Shell, Typer, Wish
from client.dictation.settings import Settings, edit
from client.sockets import Dial
from shared.errors import StenoError
from shared.tasks import end_tasks

logger = logging.getLogger(__name__)

_FRAMES_HEARD: Final = 5
"""Loudness is looked at for so many at once, after the first: ten times a second."""
_WORDS: Final[dict[str, Callable[[], Input]]] = {"on": TurnOn, "off": TurnOff, "toggle": Toggle, "undo": Undo}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desktop:
    """A system's five ports."""

    capture: Capture
    typer: Typer
    hotkey: Hotkey
    permissions: Permissions
    shell: Shell
    page: Page | None = None
    """A field to type into, for the self-test."""
    dial: Dial = dial
    """How the server is reached."""


class App:
    """Dictation on one desktop. `run` is to be called on the main thread."""

    def __init__(
        self, settings: Settings, desktop: Desktop, place: Path, *, settings_file: Path | None = None
    ) -> None:
        """`place`: the folder of the control socket. `settings_file`: what the menu opens."""
        self._settings = settings
        self._desktop = desktop
        self._place = place
        self._settings_file = settings_file
        self._machine = Dictation(settings.wishes())
        self._recording = Recording()
        self._live = Live(
            settings.url,
            settings.api_key(),
            settings.options(),
            self._recording,
            self.tell,
            target=self._target if settings.stay else None,
            dial=desktop.dial,
        )
        self._hand = Hand(desktop.typer, lambda answer: self._call(self.tell, answer))
        # One thread: its calls stay in order.
        self._capturing = ThreadPoolExecutor(1, "capture")
        self._session: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._frames: list[bytes] = []
        self._is_first = True
        self._epoch = 0
        """Counts openings of the microphone, so that what an old one still says is known as such."""
        self._shown = View()
        self._handlers: dict[type, Callable[[Any], None]] = {
            StartCapture: lambda _: self._start_capture(),
            StopCapture: lambda _: self._stop_capture(),
            OpenSession: self._open_session,
            EndSession: lambda _: self._end_session(),
            DropSession: lambda _: self._drop_session(),
            Forget: lambda _: self._forget(),
            **dict.fromkeys((Look, Type, Paste, Erase), self._hand.take),
            Play: self._play,
            Note: lambda effect: logger.debug(effect.what, extra=effect.numbers),
        }

    def run(self) -> None:
        """Until the user quits. Raises `HotkeyTaken`, `Conflict` and what else keeps it from beginning."""
        with control.only_one(self._place):
            self._desktop.shell.run(lambda: asyncio.run(self._main()), self._on_wish, self._hand.icon_pressed)

    def quit(self) -> None:
        """End; from any thread."""
        self._call(self._quit.set)

    def tell(self, event: Input) -> None:
        """Something happened; on the loop's thread."""
        effects = self._machine.on(event, time.monotonic())
        for effect in effects:
            self._perform(effect)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at := self._machine.wake_at()) is not None:
            delay_s = max(0.0, wake_at - time.monotonic())
            self._timer = self._loop.call_later(delay_s, self.tell, Tick())
        if (view := self._machine.view()) != self._shown:
            self._shown = view
            self._desktop.shell.show(view)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._quit = asyncio.Event()
        with self._closing():
            self._desktop.hotkey.start(self._settings.hotkey.chords(), self._on_key)
            async with control.served(self._place, self._answer):
                self._desktop.shell.show(self._shown)
                await self._quit.wait()
            if self._session is not None:
                await end_tasks([self._session])

    @contextlib.contextmanager
    def _closing(self) -> Generator[None]:
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._desktop.hotkey.stop()
            self._capturing.submit(self._desktop.capture.stop)
            self._capturing.shutdown()
            self._hand.close()

    def _perform(self, effect: Effect) -> None:
        self._handlers[type(effect)](effect)

    def _play(self, effect: Play) -> None:
        if self._settings.sounds:
            self._desktop.shell.cue(effect.cue)

    def _start_capture(self) -> None:
        self._epoch += 1
        self._is_first = True
        self._frames.clear()
        self._on_capture(self._open_microphone, self._epoch)

    def _open_microphone(self, epoch: int) -> None:
        def lost(reason: str) -> None:
            gone = CaptureFailed(reason) if "gone" in reason else AudioLost(reason)
            self._call(self._of_epoch, epoch, gone)

        permissions = self._desktop.permissions
        if permissions.state("microphone") == "denied":
            self._call(self._of_epoch, epoch, CaptureFailed(permissions.advice("microphone")))
            return
        try:
            self._desktop.capture.start(lambda audio: self._call(self._take, epoch, audio), lost)
        except StenoError as error:
            self._call(self._of_epoch, epoch, CaptureFailed(str(error)))

    def _stop_capture(self) -> None:
        self._on_capture(self._desktop.capture.stop)

    def _of_epoch(self, epoch: int, event: Input) -> None:
        if epoch == self._epoch:
            self.tell(event)

    def _take(self, epoch: int, audio: bytes) -> None:
        if epoch != self._epoch:
            return
        self._recording.add(audio)
        self._live.wake()
        self._frames.append(audio)
        if self._is_first or len(self._frames) >= _FRAMES_HEARD:
            self._is_first = False
            heard = Heard(*loudness(b"".join(self._frames)))
            self._frames.clear()
            self.tell(heard)

    def _forget(self) -> None:
        self._recording.forget()

    def _open_session(self, effect: OpenSession) -> None:
        self._drop_session()
        self._live.begin()
        self._session = self._loop.create_task(
            self._live.run(effect.run, effect.after_s), name="dictation-session"
        )

    def _end_session(self) -> None:
        # What the microphone heard before it was closed comes first.
        self._on_capture(self._call, self._live.end)

    def _drop_session(self) -> None:
        # One that has just said that it is over ends by itself.
        if self._session is not None and self._session is not asyncio.current_task(self._loop):
            self._session.cancel()
        self._session = None

    async def _target(self) -> Target:
        return await asyncio.wrap_future(self._hand.target())

    def _on_capture(self, work: Callable[..., None], *values: object) -> None:
        self._capturing.submit(work, *values).add_done_callback(note_fault)

    def _call(self, work: Callable[..., object], *values: object) -> None:
        """Call it on the loop's thread; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: no one cares any more
            self._loop.call_soon_threadsafe(work, *values)

    def _on_key(self, name: str, is_down: bool) -> None:
        if is_down:
            self._hand.hotkey_pressed()
        if name == "hold":
            self._call(self.tell, HoldKey(is_down))
        elif is_down:
            self._call(self.tell, _WORDS[name]())

    def _on_wish(self, wish: Wish) -> None:
        self._hand.wished()
        if wish == "quit":
            self.quit()
        elif wish == "copy_last":
            self._call(self._copy_last)
        elif wish == "settings" and self._settings_file is not None:
            edit(self._settings_file)
        elif wish in _WORDS:
            self._call(self.tell, _WORDS[wish]())

    def _copy_last(self) -> None:
        if self._machine.history:
            self._hand.copy(self._machine.history[0])

    def _answer(self, verb: str) -> control.Answer:
        if verb == "quit":
            self._quit.set()
        elif verb in _WORDS:
            self.tell(_WORDS[verb]())
        return self._status()

    def _status(self) -> control.Answer:
        view = self._machine.view()
        return {
            "state": view.state.value,
            "light": view.light,
            "headline": view.headline,
            "notice": view.notice,
            "microphone": self._machine.is_wanted,
            "session": self._live.session_id,
            "app": self._hand.app,
            "history": len(view.history),
        }
