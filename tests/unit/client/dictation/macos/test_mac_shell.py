"""The app in the menu bar: what it shows, that it never takes the focus, and how its threads end."""

import signal
import threading
from dataclasses import replace
from typing import Any, Literal

import pytest

from client.dictation.core.view import Cue, State, View
from client.dictation.macos.menu_model import items
from client.dictation.macos.permissions import MacPermissions
from client.dictation.macos.shell import MacShell
from client.dictation.ports import Wish
from tests.support.pyobjc.mac import FakeMac

ON = View(
    state=State.ON, light="on", headline="Dictation ON", interim="hello wor", last="Good day.", level_db=-20.0
)


class Session:
    """A shell that runs on the main thread while steps are taken on the second one, each drawn before the
    next."""

    def __init__(self, mac: FakeMac, shell: MacShell) -> None:
        self.mac = mac
        self.shell = shell
        self.wishes: list[Wish | Literal["pressed"]] = []

    def run(self, *steps: Any) -> None:
        """Do all steps, then end. Each is called on the dictation's thread."""

        def work() -> None:
            for step in steps:
                step()
                self.drawn()

        self.shell.run(work, self.wishes.append, lambda: self.wishes.append("pressed"))

    def drawn(self) -> None:
        """Wait until the main thread has done what was due."""
        done = threading.Event()
        self.mac.queue.put(done.set)
        assert done.wait(20)

    @property
    def item(self) -> Any:
        """The icon in the menu bar."""
        [item] = self.mac.runtime.behaviours["NSStatusBar"].items
        return item

    def titles(self) -> list[str]:
        """Of the menu's lines."""
        return [item.state.title for item in self.item.state.menu.state.items]

    def pick(self, title: str) -> None:
        """Pick a line of the menu, as the user does: on the main thread."""
        [item] = [item for item in self.item.state.menu.state.items if item.state.title == title]
        assert item.state.enabled
        assert item.state.action == "picked:"
        self.mac.queue.put(lambda: item.state.target.picked_(item))
        self.drawn()

    def open_menu(self) -> None:
        """Press the icon."""
        menu = self.item.state.menu
        self.mac.queue.put(lambda: menu.state.delegate.menuWillOpen_(menu))
        self.drawn()


@pytest.fixture
def session(mac: FakeMac) -> Session:
    """With all allowed."""
    return Session(mac, MacShell(mac, MacPermissions(mac)))


def test_on_is_seen_at_a_glance(session: Session) -> None:
    """In the menu bar in words and colour, and in the panel."""
    seen: list[Any] = []

    def look() -> None:
        button = session.item.state.button.state
        panel = session.shell._panel._panel.state  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
        labels = [view.state.__dict__.get("stringvalue") for view in panel.contentview.state.views]
        seen.append((button.title, button.image.state.name, button.contenttintcolor.state.name))
        seen.append((panel.is_visible, labels[:4]))

    session.run(lambda: session.shell.show(ON), look)
    assert seen == [
        ("Dictation ON", "mic.fill", "systemGreen"),
        (True, ["Dictation ON", "hello wor", "Good day.", ""]),
    ]


def test_the_panel_never_takes_the_focus_or_the_mouse(session: Session) -> None:
    """Or the text would be typed into itself."""
    session.run(lambda: session.shell.show(ON))
    calls = session.mac.runtime
    [(_, style, _, _)] = calls.called("initWithContentRect:styleMask:backing:defer:")
    assert style == 128, "non-activating, without a border"
    assert calls.called("setLevel:") == [(25,)]
    [(behaviour,)] = calls.called("setCollectionBehavior:")
    assert behaviour & (1 | 256) == 1 | 256, "on every space, and above apps that fill the screen"
    assert calls.called("setIgnoresMouseEvents:") == [(True,)]
    assert calls.called("setHidesOnDeactivate:") == [(False,)]
    assert calls.called("orderFrontRegardless") == [()]
    assert calls.called("makeKeyAndOrderFront:") == calls.called("activateIgnoringOtherApps:") == []
    assert calls.called("setActivationPolicy:") == [(1,)], "no icon in the Dock"


def test_off_shows_nothing_but_the_icon(session: Session) -> None:
    """And lets macOS put the app to sleep again."""
    seen: list[Any] = []
    panel = lambda: session.shell._panel._panel.state.is_visible  # noqa: E731  # pyright: ignore
    awake = session.mac.runtime.behaviours["NSProcessInfo"]
    session.run(
        lambda: session.shell.show(ON),
        lambda: seen.append((panel(), len(awake.activities))),
        lambda: session.shell.show(View()),
        lambda: seen.append((panel(), len(awake.activities), session.item.state.button.state.title)),
    )
    assert seen == [(True, 1), (False, 0, "")]


def test_a_lost_connection_is_red_and_said(session: Session) -> None:
    """In both places."""
    seen: list[Any] = []
    lost = View(
        state=State.ON, light="red", headline="No connection: speak, it is kept", notice="the server hung up"
    )

    def look() -> None:
        button = session.item.state.button.state
        seen.append((button.title, button.contenttintcolor.state.name, session.titles()[:2]))

    session.run(lambda: session.shell.show(lost), look)
    assert seen == [("Dictation: no connection", "systemRed", [lost.headline, lost.notice])]


def test_of_many_views_the_newest_is_drawn(session: Session) -> None:
    """Partials come faster than a busy main thread draws."""
    shown: list[str] = []
    held = threading.Event()

    def many() -> None:
        session.mac.queue.put(lambda: held.wait(20))
        for number in range(500):
            session.shell.show(View(state=State.ON, light="on", headline="Dictation ON", interim=str(number)))
        assert session.mac.queue.qsize() <= 2, "one call waits, not five hundred"
        held.set()

    session.run(many, lambda: shown.extend(a[0] for a in session.mac.runtime.called("setStringValue:")))
    assert "499" in shown
    assert "250" not in shown


def test_the_menu_s_wishes_arrive(session: Session) -> None:
    """As the core knows them."""
    session.run(
        lambda: session.shell.show(ON),
        *(
            (lambda title=title: session.pick(title))
            for title in (
                "Turn Dictation Off",
                "Undo Last Utterance",
                "Copy Last Text",
                "Settings …",
                "Quit Steno",
            )
        ),
        lambda: session.shell.show(View()),
        lambda: session.pick("Turn Dictation On"),
    )
    assert session.wishes == ["off", "undo", "copy_last", "settings", "quit", "on"]


def test_the_press_that_opens_the_menu_is_told_of(session: Session) -> None:
    """It must not count as one in the app in front, where the last utterance is to be taken back."""
    session.run(
        lambda: session.shell.show(ON), session.open_menu, lambda: session.pick("Undo Last Utterance")
    )
    assert session.wishes == ["pressed", "undo"]


def test_what_is_missing_is_asked_for_and_looked_at_again(mac: FakeMac, session: Session) -> None:
    """Once by the system; then there is a line in the menu that opens the settings, until it is allowed."""
    mac.is_trusted = False
    timers = mac.runtime.behaviours["NSTimer"]
    seen: list[Any] = []

    def tick() -> None:
        mac.queue.put(lambda: timers.running[0].state.block(None))

    def allow() -> None:
        mac.is_trusted = True

    session.run(
        lambda: seen.append((mac.trust_prompts, len(timers.running))),
        tick,
        lambda: session.pick("Allow Typing into Apps …"),
        lambda: seen.append(list(mac.opened)),
        allow,
        tick,
        lambda: seen.append((len(timers.running), [t for t in session.titles() if t.startswith("Allow")])),
    )
    assert seen == [
        (1, 1),
        ["x-apple.systempreferences:com.apple.preference.security?Privacy_Accessibility"],
        (0, []),
    ]


def test_advice_does_not_stand_above_all_windows_for_good(mac: FakeMac, session: Session) -> None:
    """Who does not want to allow it now has it in the menu."""
    mac.is_trusted = False
    timers = mac.runtime.behaviours["NSTimer"]
    panel = lambda: session.shell._panel._panel.state.is_visible  # noqa: E731  # pyright: ignore
    seen: list[bool] = []

    def minute() -> None:
        for _ in range(60):
            mac.queue.put(lambda: timers.running[0].state.block(None))

    session.run(
        lambda: session.shell.show(View()), lambda: seen.append(panel()), minute, lambda: seen.append(panel())
    )
    assert seen == [True, False]


def test_a_permission_that_is_taken_back_while_on_is_shown(mac: FakeMac, session: Session) -> None:
    """As soon as something has failed for it; until it is given again."""
    timers = mac.runtime.behaviours["NSTimer"]
    seen: list[Any] = []

    def revoke() -> None:
        mac.is_trusted = False
        session.shell.show(replace(ON, notice="not typed"))

    def look() -> None:
        seen.append((len(timers.running), [t for t in session.titles() if t.startswith("Allow")]))

    def give_back() -> None:
        mac.is_trusted = True
        mac.queue.put(lambda: timers.running[0].state.block(None))

    session.run(lambda: session.shell.show(ON), look, revoke, look, give_back, look)
    assert seen == [(0, []), (1, ["Allow Typing into Apps …"]), (0, [])]


def test_it_ends_when_the_work_does(session: Session) -> None:
    """The icon and the panel are gone, and nothing is left running."""
    session.run()
    assert session.mac.runtime.behaviours["NSStatusBar"].items == []
    assert session.mac.runtime.behaviours["NSTimer"].running == []
    assert not [thread for thread in threading.enumerate() if thread.name == "dictation"]


def test_what_the_work_raises_is_raised(session: Session) -> None:
    """After the main loop has ended, not inside it, where the system would log it."""

    def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        session.run(fail)
    assert session.mac.runtime.behaviours["NSStatusBar"].items == []


def test_an_error_while_drawing_shows_no_text(
    mac: FakeMac,
    session: Session,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its kind is logged, and the main loop goes on."""

    def fail(_label: Any, text: str) -> None:
        raise ValueError(f"can't draw {text}")

    mac.runtime.behaviours["NSControl"] = type("Broken", (), {"setStringValue_": fail})
    session.run(
        lambda: session.shell.show(replace(ON, interim="sentinel", headline="sentinel")), lambda: None
    )
    assert [vars(record)["kind"] for record in caplog.records] == ["ValueError"]
    assert "sentinel" not in caplog.text + "".join(capfd.readouterr())


def test_signals_quit(session: Session) -> None:
    """Python's own handlers would not run while the main loop waits."""
    session.run(
        lambda: session.mac.signals[signal.SIGINT](2), lambda: session.mac.signals[signal.SIGTERM](15)
    )
    assert session.wishes == ["quit", "quit"]


def test_cues_are_sounds(session: Session) -> None:
    """From any thread."""
    session.run(*(lambda cue=cue: session.shell.cue(cue) for cue in Cue))
    assert session.mac.runtime.behaviours["NSSound"].played == ["Tink", "Pop", "Basso"]


def test_the_menu_offers_what_can_be_done() -> None:
    """Pure."""
    allowed = {"microphone": "granted", "typing": "granted"}
    off = items(View(), "unavailable", allowed)  # pyright: ignore[reportArgumentType]
    assert [item.action for item in off if item.action] == ["on", "settings", "quit"]
    on = items(ON, "on", allowed)  # pyright: ignore[reportArgumentType]
    assert [item.action for item in on if item.action] == [
        "off",
        "undo",
        "copy_last",
        "login",
        "settings",
        "quit",
    ]
    assert [item.title for item in on if item.is_checked] == ["Open at Login"]
