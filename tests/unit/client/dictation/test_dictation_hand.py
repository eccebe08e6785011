"""Which of the user's presses count: those on hot keys, the icon and the menu don't, all others do."""

from collections.abc import Generator
from contextlib import contextmanager
from queue import Queue
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from client.dictation.core.moves import Input, Look, Looked, Type, Wrote
from client.dictation.core.target import Newline, Target
from client.dictation.hand import Hand
from client.dictation.ports import Typer

WAIT_S_MAX = 20.0


class Keyboard:
    """A typer that types nothing, at a keyboard and a mouse that a test presses."""

    def __init__(self) -> None:
        self.pressed: int | None = 0
        self.while_typing = lambda: None

    def target(self) -> Target:
        """See `Typer`."""
        return Target("editor", "1")

    def type(self, _text: str, _newline: Newline) -> None:
        """See `Typer`."""
        self.while_typing()

    def presses(self) -> int | None:
        """See `Typer`."""
        return self.pressed

    def close(self) -> None:
        """See `Typer`."""


class User:
    """Somebody who dictates with a hand, and presses things."""

    def __init__(self, hand: Hand, keyboard: Keyboard, answers: "Queue[Input]") -> None:
        self._hand, self._answers = hand, answers
        self.keyboard = keyboard

    def count(self) -> int | None:
        """What a look says."""
        self._hand.take(Look())
        looked = self._answers.get(timeout=WAIT_S_MAX)
        assert isinstance(looked, Looked)
        return looked.presses

    def write(self) -> int | None:
        """What is said of a text when it is written."""
        self._hand.take(Type("text", "return"))
        wrote = self._answers.get(timeout=WAIT_S_MAX)
        assert isinstance(wrote, Wrote)
        return wrote.presses

    def key(self, times: int = 1) -> None:
        """Press keys of the app in front, or click into it."""
        assert self.keyboard.pressed is not None
        self.keyboard.pressed += times

    def hotkey(self, *, is_counted: bool = False) -> None:
        """Press a hot key, or have it told that was pressed before."""
        self.key(0 if is_counted else 1)
        self._hand.hotkey_pressed()

    def open_menu(self) -> None:
        """Click on the icon."""
        self.key()
        self._hand.icon_pressed()
        self.count()  # what the hand has to note is noted, before the next press

    def pick(self, presses: int) -> None:
        """Pick a line of the menu, with the mouse or the arrow keys."""
        self.key(presses)
        self._hand.wished()
        self.count()


@contextmanager
def user() -> Generator[User]:
    """With a hand of their own."""
    keyboard, answers = Keyboard(), Queue[Input]()
    hand = Hand(cast(Typer, keyboard), answers.put)
    try:
        yield User(hand, keyboard, answers)
    finally:
        hand.close()


def test_a_hot_key_does_not_count_also_while_something_is_typed() -> None:
    with user() as one:
        before = one.write()
        one.hotkey()
        assert one.count() == before
        one.keyboard.while_typing = one.hotkey
        mark = one.write()
        one.keyboard.while_typing = lambda: None
        assert one.count() == mark
        one.key()
        assert one.count() != mark


def test_a_hot_key_that_is_told_of_late_does_not_hide_another_press() -> None:
    """The count at the end of a text had it already."""
    with user() as one:
        one.keyboard.while_typing = one.key
        mark = one.write()
        one.hotkey(is_counted=True)
        assert one.count() == mark
        one.key()
        assert one.count() != mark


def test_the_menu_does_not_count_when_something_is_picked() -> None:
    with user() as one:
        mark = one.write()
        one.open_menu()
        one.pick(presses=5)
        assert one.count() == mark
        one.open_menu()
        one.key()  # a click elsewhere closes it
        assert one.count() != mark


def test_a_wish_that_nobody_has_pressed_for_changes_nothing() -> None:
    """From a terminal, or from a panel that says nothing when it opens the menu."""
    with user() as one:
        mark = one.write()
        one.open_menu()
        one.pick(presses=1)
        one.key()
        one.pick(presses=0)
        assert one.count() != mark


def test_what_is_not_known_stays_so() -> None:
    with user() as one:
        one.keyboard.pressed = None
        assert one.write() is None
        assert one.count() is None


ACTS = st.sampled_from(["key", "hotkey", "open", "pick", "write"])


@given(st.lists(ACTS, max_size=30))
def test_a_real_press_is_never_forgiven(acts: list[str]) -> None:
    """Whatever else is pressed between, and in whatever order."""
    with user() as one:
        mark, is_touched, is_open = one.write(), False, False
        for act in acts:
            if act == "key" and not is_open:
                one.key()
                is_touched = True
            elif act == "hotkey":
                one.hotkey()
            elif act == "open" and not is_open:
                one.open_menu()
                is_open = True
            elif act == "pick" and is_open:
                one.pick(presses=2)
                is_open = False
            elif act == "write":
                mark, is_touched = one.write(), False
            if is_touched:
                assert one.count() != mark
