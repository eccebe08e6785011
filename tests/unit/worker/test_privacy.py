"""What is private is left out, of partials and of what is shown for good as well as of finals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadParameter
from shared.events import REDACT, SessionConfig, Word, check_redact
from worker.core.hypothesis import units
from worker.core.writing import Shown, Writer
from worker.private import find_private
from worker.rules import LibraryRules

RULES = LibraryRules()
ALL = Writer(SessionConfig(redact=REDACT), RULES)


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("Write to john.smith@example.com, please.", "Write to [email], please."),
        ("It is john dot smith at example dot com.", "It is [email]."),
        ("I am anna_k at mail.example.org now", "I am [email] now"),
        ("Call (415) 555-2671 today.", "Call [phone] today."),
        ("Call four one five, five five five, two six seven one.", "Call [phone]."),
        ("Call +44 20 7946 0958 or not", "Call [phone] or not"),
        ("The card is 4111 1111 1111 1111, until May.", "The card is [card], until May."),
        ("The card is 4111-1111-1111-1111.", "The card is [card]."),
        (
            "In 2026 there were 1,234,567 of them, 23 in May.",
            "In 2026 there were 1,234,567 of them, 23 in May.",
        ),
        ("Meet me at noon. Then we go.", "Meet me at noon. Then we go."),
        ("", ""),
    ],
)
def test_what_is_private_is_left_out(heard: str, text: str) -> None:
    assert ALL.text(Shown(), heard, "en") == text
    words = tuple(
        Word(text=word, start=float(i), end=i + 1.0, probability=1.0) for i, word in enumerate(heard.split())
    )
    assert " ".join(word.text for word in ALL.words(words, "en")) == text


def test_a_number_is_looked_for_where_its_language_is_spoken() -> None:
    assert find_private("030 23125000", REDACT, "de") == [(0, 12, "phone")]
    assert find_private("030 23125000", REDACT, "ja") == []
    assert find_private("+49 30 23125000", REDACT, "ja") == [(0, 15, "phone")]


def test_only_what_is_asked_for_is_left_out() -> None:
    text = "a@example.com, 415 555 2671, 4111 1111 1111 1111"
    shown = {kind: Writer(SessionConfig(redact=(kind,)), RULES).text(Shown(), text, "en") for kind in REDACT}
    assert shown == {
        "email": "[email], 415 555 2671, 4111 1111 1111 1111",
        "phone": "a@example.com, [phone], 4111 1111 1111 1111",
        "card": "a@example.com, 415 555 2671, [card]",
    }
    assert Writer(SessionConfig(), None).text(Shown(), text, "en") == text
    wrong = "The card is 4111 1111 1111 1112."  # its check digit says so
    assert Writer(SessionConfig(redact=("card",)), RULES).text(Shown(), wrong, "en") == wrong


def test_it_goes_with_numbers_as_digits() -> None:
    both = Writer(SessionConfig(redact=REDACT, numerals="digits"), RULES)
    heard = "call four one five five five five two six seven one twenty three times"
    assert both.text(Shown(), heard, "en").startswith("call [phone]")
    assert both.text(Shown(), "twenty three at home", "en") == "23 at home"


def test_words_for_it_are_checked() -> None:
    assert check_redact("card, email") == ("email", "card")
    assert check_redact("") == ()
    with pytest.raises(BadParameter, match="names"):
        check_redact("names")


PRIVATE = (
    " john.smith@example.com",
    " john dot smith at example dot com",
    " anna at example.org",
    " (415) 555-2671",
    " four one five five five five two six seven one",
    " +44 20 7946 0958",
    " 4111 1111 1111 1111",
)
LEAKS = re.compile(r"smith|anna|\d{3}|four|one five|5 5|example", re.IGNORECASE)
PARTLY = re.compile(r"smith|anna|\d{3}|one five|5 5|example", re.IGNORECASE)
"""One or two digits may be on the screen for a moment."""


@given(
    st.lists(st.sampled_from([*PRIVATE, " the quick fox", " we met", " and then", " yes,"]), max_size=5),
    st.integers(0, 4),
    st.data(),
)
def test_nothing_of_it_is_ever_shown_while_it_is_being_said(
    parts: list[str], lag: int, data: st.DataObject
) -> None:
    """As a session does it: word by word, where what is stable is some words behind; a word in between may be
    cut in its middle."""
    # Something else stands between two of them: numbers that touch are one number, or none.
    said = "".join(f" so{part} thanks" if part in PRIVATE else part for part in parts).strip() + "."
    all_units = units(said)
    shown, committed = Shown(), ""
    for count in range(1, len(all_units) + 1):
        heard = "".join(all_units[:count])
        stable = len("".join(all_units[: max(0, count - lag)]))
        shown = ALL.commit(shown, heard, stable, "en")
        assert shown.text.startswith(committed), "what is committed stays"
        committed = shown.text
        cut = heard[: len(heard) - data.draw(st.integers(0, 2))] if not lag else heard
        partial = ALL.text(shown, cut if len(cut) >= shown.heard else heard, "en", is_whole=False)
        assert partial.startswith(committed)
        assert not LEAKS.search(committed), committed
        if lag:
            assert not PARTLY.search(partial), partial
    final = ALL.text(shown, said, "en")
    assert final.startswith(committed)
    assert not LEAKS.search(final), final
