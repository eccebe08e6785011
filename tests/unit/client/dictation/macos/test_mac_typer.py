"""Typing on macOS: exact, in events that macOS does not cut, and never where it must not be."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.dictation.core.graphemes import clusters, utf16_units
from client.dictation.errors import NotTyped, PermissionMissing
from client.dictation.macos.clipboard import Clipboard
from client.dictation.macos.keystrokes import UNITS_MAX, strokes
from client.dictation.macos.typer import MARK, MacTyper
from tests.support.pyobjc.mac import FakeMac

FAMILY = "👩‍👩‍👧‍👦"
TEXTS = st.lists(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"]),
        st.sampled_from(["👍🏽", FAMILY, "🇩🇪", "e\u0301", "각", "\n", "\t", "한", "ก็", "a" * 25]),
    ),
    max_size=60,
).map("".join)


def typer(mac: FakeMac) -> MacTyper:
    """One that does not sleep."""
    clipboard = Clipboard(mac, mac.carbon, sleep=lambda _s: None)
    return MacTyper(mac, mac.carbon, clipboard, sleep=lambda _s: None)


@given(text=TEXTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_text_arrives_exactly(mac: FakeMac, text: str) -> None:
    """What the app in front has is the text, though each event carries 20 units at most."""
    mac.front.text, mac.front.events = "", []
    typer(mac).type(text, "return")
    assert mac.front.text == text
    assert all(utf16_units(event.text or "") <= UNITS_MAX for event in mac.front.events)
    downs = [event for event in mac.front.events if event.is_down]
    ups = [event for event in mac.front.events if not event.is_down]
    assert [(event.key, event.text) for event in downs] == [(event.key, event.text) for event in ups]


@given(text=TEXTS)
def test_strokes_are_whole_clusters(text: str) -> None:
    """Nothing that a reader takes for one character is cut, unless no event could hold it."""
    borders, at = {0}, 0
    for cluster in clusters(text):
        at += len(cluster)
        borders.add(at)
    place = 0
    for stroke in strokes(text, "return"):
        place += stroke.characters
        assert place in borders or utf16_units(next(iter(clusters(stroke.text)))) >= 10
        assert stroke.units == utf16_units(stroke.text) <= UNITS_MAX
    assert place == len(text)


def test_a_cluster_longer_than_an_event_is_cut_between_characters(mac: FakeMac) -> None:
    """No half of a surrogate pair, which would be two wrong characters."""
    cluster = "👩" + "\u200d👩" * 12
    typer(mac).type(cluster, "return")
    assert mac.front.text == cluster


def test_events_are_ours_and_without_the_users_modifiers(mac: FakeMac) -> None:
    """A key that is held stays out of them."""
    mac.front.held = 0x120000
    slept: list[float] = []
    clipboard = Clipboard(mac, mac.carbon, sleep=slept.append)
    MacTyper(mac, mac.carbon, clipboard, sleep=slept.append).type("hello", "return")
    assert {event.flags for event in mac.front.events} == {0}
    assert {tuple(event.fields.items()) for event in mac.front.events} == {((42, MARK),)}
    assert 0.45 < sum(slept) < 0.6, "held modifiers are waited for, but not for ever"
    [source] = {arguments[0] for arguments in mac.runtime.called("CGEventSourceCreate")}
    assert source == -1, "a source of its own"


@pytest.mark.parametrize(
    ("newline", "keys"),
    [("return", [(36, 0)]), ("shift-return", [(36, 0x20000)]), ("space", [])],
)
def test_a_newline_is_the_key_that_the_app_wants(mac: FakeMac, newline: str, keys: list[object]) -> None:
    """Return sends in chats; in no case is the newline part of an event's text."""
    typer(mac).type("one\r\ntwo", newline)  # pyright: ignore[reportArgumentType]
    downs = [event for event in mac.front.events if event.is_down]
    assert [(event.key, event.flags) for event in downs if event.text is None] == keys
    assert "".join(event.text or "\n" for event in downs) == ("one two" if newline == "space" else "one\ntwo")


def test_control_characters_are_left_out(mac: FakeMac) -> None:
    """They would be keys: Escape closes a dialogue."""
    typer(mac).type("a\x1bb\x00c\x7f\x85d", "return")
    assert mac.front.text == "abcd"


def test_nothing_goes_into_a_password_field(mac: FakeMac) -> None:
    """Neither into one that is there at the start nor into one that comes up in mid-text."""
    mac.c.is_secure = True
    with pytest.raises(NotTyped):
        typer(mac).type("secret words", "return")
    assert mac.front.events == []
    mac.c.is_secure = False

    def focus_moves() -> None:
        mac.c.is_secure = len(mac.front.events) >= 4

    mac.front.on_event = focus_moves
    with pytest.raises(NotTyped) as caught:
        typer(mac).type("x" * 100, "return")
    assert len(mac.front.events) == 4
    assert caught.value.typed == 40
    assert "secret" not in str(caught.value)


def test_without_permission_it_is_said_and_not_tried(mac: FakeMac) -> None:
    """The system would swallow the events without a word."""
    mac.is_trusted = False
    for act in (lambda: typer(mac).type("words", "return"), lambda: typer(mac).erase(1)):
        with pytest.raises(PermissionMissing, match="Accessibility"):
            act()
    assert mac.front.events == []


def test_erase_takes_back_what_a_reader_takes_for_characters(mac: FakeMac) -> None:
    """One Backspace each."""
    typer(mac).type("ab" + FAMILY, "return")
    typer(mac).erase(2)
    assert mac.front.text == "a"


def test_presses_are_those_of_the_user(mac: FakeMac) -> None:
    """Keys and mouse buttons, by the system's own count of its devices."""
    port = typer(mac)
    before = port.presses()
    port.type("hello", "return")
    assert port.presses() == before
    mac.front.user_presses += 1
    assert port.presses() > before
    states = {arguments[0] for arguments in mac.runtime.called("CGEventSourceCounterForEventType")}
    assert states == {1}


def test_the_target_is_the_front_window_of_the_front_app(mac: FakeMac) -> None:
    """By numbers that need no permission; a menu or a tooltip is no window."""
    target = typer(mac).target()
    assert (target.app, target.window, target.is_secure) == ("com.example.Editor", "4711:88", False)
    mac.front.bundle = None
    assert typer(mac).target().app == "Editor"


def test_a_password_field_is_known_by_its_role_as_well(mac: FakeMac) -> None:
    """Some apps do not tell the system that they read a password."""
    mac.front.subrole = "AXSecureTextField"
    assert typer(mac).target().is_secure
    mac.front.subrole = "AXTextArea"
    mac.c.is_secure = True
    assert typer(mac).target().is_secure


def test_paste_lends_the_clipboard(mac: FakeMac) -> None:
    """Text by Command and the key that types v here; then all that was there is back, pictures as well."""
    board = mac.runtime.behaviours["NSPasteboard"].board
    board.items = [{"NSPasteboardTypeString": "mine", "public.png": b"\x89PNG"}, {"public.rtf": b"{}"}]
    before = [dict(item) for item in board.items]
    mac.c.command_layout = {47: "v", 9: "k"}  # Dvorak
    typer(mac).paste("words")
    assert mac.front.text == "words"
    assert {event.key for event in mac.front.events} == {47}
    assert board.items == before
    assert mac.c.sources == 0


def test_paste_does_not_undo_what_somebody_else_copied_meanwhile(mac: FakeMac) -> None:
    """Their clipboard is newer than what was there before."""
    board = mac.runtime.behaviours["NSPasteboard"].board
    board.items = [{"NSPasteboardTypeString": "old"}]

    def other_copies(_s: float) -> None:
        board.items, board.count = [{"NSPasteboardTypeString": "newer"}], board.count + 1

    clipboard = Clipboard(mac, mac.carbon, sleep=other_copies)
    MacTyper(mac, mac.carbon, clipboard, sleep=lambda _s: None).paste("words")
    assert board.text() == "newer"


def test_what_is_lent_is_marked_for_clipboard_managers(mac: FakeMac) -> None:
    """They keep what passes through otherwise."""
    seen: list[set[str]] = []
    board = mac.runtime.behaviours["NSPasteboard"].board
    mac.front.on_event = lambda: seen.append(set(board.items[0]))
    typer(mac).paste("words")
    assert {"org.nspasteboard.TransientType", "org.nspasteboard.ConcealedType"} < seen[0]


def test_copy_is_for_the_user(mac: FakeMac) -> None:
    """Without such a mark; a clipboard that refuses is told."""
    board = mac.runtime.behaviours["NSPasteboard"].board
    typer(mac).copy("words")
    assert board.items == [{"NSPasteboardTypeString": "words"}]
    board.can_write = False
    with pytest.raises(NotTyped):
        typer(mac).copy("words")
