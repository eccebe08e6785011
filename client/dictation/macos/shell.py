"""The app's main loop: AppKit on the main thread, dictation on a second one.

AppKit insists on the main thread, asyncio on a loop of its own; neither runs well inside the other. So each
has its thread: what dictation shows goes over with `callAfter`, what the user picks with the callback that
dictation gave. `NSApplication.run` is called as it is, not by `AppHelper.runEventLoop`, whose end is that of
the process and which shows and logs exceptions.
"""

import signal
import threading
from collections.abc import Callable
from typing import Any, Final, cast

from client.dictation.core.view import Cue, State, View
from client.dictation.macos.frameworks import Frameworks
from client.dictation.macos.login import LaunchAtLogin
from client.dictation.macos.main_thread import quietly
from client.dictation.macos.menu import Menu
from client.dictation.macos.menu_model import ALLOW, LOGIN, items, missing
from client.dictation.macos.panel import Panel
from client.dictation.ports import Need, Permission, Permissions, Wish

_SOUNDS: Final = {Cue.START: "Tink", Cue.STOP: "Pop", Cue.ERROR: "Basso"}
"""Sounds that come with macOS."""
_ASK_AGAIN_S: Final = 1.0
_ADVICE_TICKS: Final = 60
"""How long the panel says what to allow while dictation is off; the menu says it for good."""
_NEEDS: Final[tuple[Need, ...]] = ("microphone", "typing")


class MacShell:
    """`Shell` on macOS."""

    def __init__(self, mac: Frameworks, permissions: Permissions, *, plain: bool = False) -> None:
        """`plain`: no icon and no window."""
        self._is_plain = plain
        self._mac = mac
        self._permissions = permissions
        self._login = LaunchAtLogin(mac)
        self._menu: Menu | None = None
        self._panel: Panel | None = None
        self._lock = threading.Lock()
        self._newest = View()
        self._is_due = False
        self._shown = View()
        self._allowed: dict[Need, Permission] = {}
        self._timer: Any = None
        self._advice_ticks = 0
        self._activity: Any = None
        self._on_wish: Callable[[Wish], None] = lambda _wish: None

    def run(
        self, work: Callable[[], None], on_wish: Callable[[Wish], None], on_press: Callable[[], None]
    ) -> None:
        """See the port."""
        appkit = self._mac.appkit
        self._on_wish = on_wish
        app = appkit.NSApplication.sharedApplication()
        app.setActivationPolicy_(appkit.NSApplicationActivationPolicyAccessory)  # no Dock icon, no focus
        if not self._is_plain:
            self._menu = Menu(self._mac, quietly(self._picked), quietly(on_press))
            self._panel = Panel(self._mac)

        def quit_(_number: int) -> None:
            on_wish("quit")

        for number in (signal.SIGINT, signal.SIGTERM):
            self._mac.mach_signals.signal(number, quit_)
        failed: list[BaseException] = []
        worker = threading.Thread(target=self._work, args=(work, app, failed), name="dictation")
        self._recheck()
        self._ask_for_permissions()
        worker.start()
        try:
            app.run()
        finally:
            worker.join()
            self._close()
        if failed:
            raise failed[0]

    def show(self, view: View) -> None:
        """See the port."""
        with self._lock:
            self._newest = view
            is_due, self._is_due = self._is_due, True
        if not is_due:
            self._mac.app_helper.callAfter(quietly(self._draw))

    def cue(self, cue: Cue) -> None:
        """See the port."""
        self._mac.app_helper.callAfter(quietly(self._play), _SOUNDS[cue])

    def _work(self, work: Callable[[], None], app: Any, failed: list[BaseException]) -> None:
        try:
            with self._mac.objc.autorelease_pool():
                work()
        except BaseException as error:  # noqa: BLE001 - raised by `run`
            failed.append(error)
        finally:
            self._mac.app_helper.callAfter(self._stop, app)

    def _stop(self, app: Any) -> None:
        app.stop_(None)
        # The loop looks at that after the next event, so there must be one.
        appkit = self._mac.appkit
        make = appkit.NSEvent
        event = make.otherEventWithType_location_modifierFlags_timestamp_windowNumber_context_subtype_data1_data2_(  # noqa: E501
            appkit.NSEventTypeApplicationDefined, (0.0, 0.0), 0, 0.0, 0, None, 0, 0, 0
        )
        app.postEvent_atStart_(event, True)

    def _draw(self) -> None:
        with self._lock:
            view, self._is_due = self._newest, False
        if view.state != self._shown.state:
            self._keep_awake(view.state != State.OFF)
        if (view.state, view.notice) != (self._shown.state, self._shown.notice):
            self._allowed = self._ask()  # what went wrong may be that one was taken back
            if missing(self._allowed):
                self._watch_permissions()
        self._shown = view
        if self._menu is None or self._panel is None:
            return
        self._menu.show(view, items(view, self._login.state(), self._allowed))
        still = missing(self._allowed)
        is_wanted = view.state != State.OFF or self._advice_ticks > 0
        self._panel.show(view, self._permissions.advice(still[0]) if still and is_wanted else "")

    def _picked(self, action: str) -> None:
        if action == LOGIN:
            self._login.toggle()
            self._draw()
        elif action.startswith(ALLOW):
            self._permissions.request(cast(Need, action.removeprefix(ALLOW)))
            self._watch_permissions()
        elif action:
            self._on_wish(cast(Wish, action))

    def _ask(self) -> dict[Need, Permission]:
        return {need: self._permissions.state(need) for need in _NEEDS}

    def _ask_for_permissions(self) -> None:
        """At the start the system asks for what it was never asked for; what was refused is in the menu."""
        for need in missing(self._allowed):
            if self._allowed[need] == "unknown":
                self._permissions.request(need)
        if missing(self._allowed):
            self._watch_permissions()

    def _watch_permissions(self) -> None:
        """Look again every second until all is allowed: the system tells nobody."""
        self._advice_ticks = _ADVICE_TICKS
        if self._timer is None:
            timer = self._mac.foundation.NSTimer

            def again(_timer: Any) -> None:
                quietly(self._recheck)()

            self._timer = timer.scheduledTimerWithTimeInterval_repeats_block_(_ASK_AGAIN_S, True, again)

    def _recheck(self) -> None:
        now = self._ask()
        is_new, self._allowed = now != self._allowed, now
        if self._advice_ticks:
            self._advice_ticks -= 1
            is_new = is_new or not self._advice_ticks
        if not missing(now) and self._timer is not None:
            self._timer.invalidate()
            self._timer = None
        if is_new:
            self._draw()

    def _keep_awake(self, wanted: bool) -> None:
        """While a microphone is open, macOS is not to put this app, which has no window in front, to
        sleep."""
        foundation = self._mac.foundation
        info = foundation.NSProcessInfo.processInfo()
        if wanted and self._activity is None:
            self._activity = info.beginActivityWithOptions_reason_(
                foundation.NSActivityUserInitiatedAllowingIdleSystemSleep, "Dictation is on"
            )
        elif not wanted and self._activity is not None:
            info.endActivity_(self._activity)
            self._activity = None

    def _play(self, name: str) -> None:
        sound = self._mac.appkit.NSSound.soundNamed_(name)
        if sound is not None:
            sound.stop()  # one that still plays would not begin anew
            sound.play()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.invalidate()
            self._timer = None
        if self._menu is not None and self._panel is not None:
            self._menu.close()
            self._panel.close()
        self._menu = self._panel = None
        self._keep_awake(False)
