"""A text that comes while a password field has the keyboard waits until that is over, within bounds. Pure."""

import pytest

from client.dictation.core.desk import HELD, LOOK_AGAIN_S, SECURE
from client.dictation.core.machine import Dictation
from client.dictation.core.moves import (
    Effect,
    Heard,
    Look,
    Looked,
    Opened,
    Over,
    Said,
    Tick,
    TurnOff,
    TurnOn,
    Type,
    Wrote,
)
from client.dictation.core.target import Target
from client.dictation.core.view import State
from client.dictation.core.wishes import Wishes
from shared.events import Final

SECRET = Looked(Target(app="app", window="1", is_secure=True), presses=0)
VOICE = Heard(peak_db=-20.0, level_db=-30.0)
OPEN = Looked(Target(app="app", window="1"), presses=0)


def waiting(hold_s: float = 30.0) -> Dictation:
    """A dictation that is ON, with a text that met a password field at 1 s."""
    dictation = Dictation(Wishes(hold_s=hold_s))
    dictation.on(TurnOn(), 0.0)
    dictation.on(Opened(1), 0.0)
    dictation.on(VOICE, 0.9)
    final = Final(utterance=0, text="hello", start=0, end=1, committed=5, offset=0)
    assert Look() in dictation.on(Said(1, final), 1.0)
    dictation.on(SECRET, 1.0)
    return dictation


def typed(effects: list[Effect]) -> list[str]:
    """What is to be typed."""
    return [effect.text for effect in effects if isinstance(effect, Type)]


def test_it_is_said_and_typed_when_the_field_is_left() -> None:
    """It looks again and again, and not more often than it wants."""
    dictation = waiting()
    assert dictation.view().notice == HELD
    assert dictation.wake_at() == 1.0 + LOOK_AGAIN_S
    assert dictation.on(Tick(), 1.2) == []
    assert Look() in dictation.on(Tick(), 1.5)
    assert typed(dictation.on(SECRET, 1.5)) == []
    dictation.on(VOICE, 1.9)
    assert Look() in dictation.on(Tick(), 2.0)
    assert typed(dictation.on(OPEN, 2.0)) == ["hello"]
    dictation.on(Wrote(0), 2.1)
    assert dictation.view().notice == ""


def test_it_is_kept_back_after_a_while() -> None:
    """The text is in the menu then, and what comes next is typed."""
    dictation = waiting(hold_s=2.0)
    for now in (1.5, 2.0, 2.5, 3.0):
        dictation.on(VOICE, now - 0.1)
        assert Look() in dictation.on(Tick(), now)
        assert typed(dictation.on(SECRET, now)) == []
    assert dictation.view().notice == SECURE
    assert dictation.view().last == "hello"
    final = Final(utterance=1, text="again", start=1, end=2, committed=5, offset=6)
    assert Look() in dictation.on(Said(1, final), 3.1)
    assert typed(dictation.on(OPEN, 3.1)) == ["again"]


def test_without_a_wish_to_wait_it_is_kept_back_at_once() -> None:
    """Nothing wants to be looked at again."""
    dictation = waiting(hold_s=0.0)
    assert dictation.view().notice == SECURE
    assert dictation.on(Tick(), 1.5) == []


@pytest.mark.parametrize("is_left", [True, False])
def test_the_last_final_waits_as_well(is_left: bool) -> None:
    """Dictation has ended when it is typed, or its time is over; until then there is no busy wait."""
    dictation = waiting(hold_s=3.0)
    dictation.on(TurnOff(), 1.1)
    dictation.on(Over(1), 1.2)
    assert dictation.state == State.DRAINING
    now, said = 1.2, list[str]()
    while dictation.state != State.OFF:
        wake_at = dictation.wake_at()
        assert wake_at is not None
        assert wake_at > now
        now = wake_at
        assert dictation.on(Tick(), now) == [Look()]
        effects = dictation.on(OPEN if is_left and now > 2 else SECRET, now)
        if texts := typed(effects):
            said += texts
            dictation.on(Wrote(0), now)
    assert said == (["hello"] if is_left else [])
    assert now <= 4.0
    assert dictation.wake_at() is None


def test_who_does_not_want_the_last_text_gets_none_later() -> None:
    """Turned off, what waits is dropped."""
    dictation = Dictation(Wishes(type_last=False))
    dictation.on(TurnOn(), 0.0)
    dictation.on(Opened(1), 0.0)
    final = Final(utterance=0, text="hello", start=0, end=1, committed=5, offset=0)
    dictation.on(Said(1, final), 1.0)
    dictation.on(SECRET, 1.0)
    dictation.on(TurnOff(), 1.1)
    assert dictation.state == State.OFF
    assert dictation.wake_at() is None
    assert typed(dictation.on(OPEN, 1.2)) == []
