"""Which keys type what on X11. Pure."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.dictation.linux.keymap import Batch, Key, Keymap, is_spare, keysym_of
from client.dictation.linux.x11_typer import _pieces, _typable
from client.dictation.linux.xkb import _MAP_HEAD, _ONE_LEVEL, _with

LETTERS = "abcdefghijklmnopqrstuvwxyz ,."
LAYOUT: dict[int, Sequence[int]] = {
    **{20 + n: (ord(char), ord(char.upper())) for n, char in enumerate(LETTERS)},
    50: (0xFFE1,),
    **dict.fromkeys((8, 93, 97, 103), (0, 0)),
}
DEAD_ACUTE = 0xFE51


def typed(batches: list[Batch]) -> list[int]:
    """What a client reads that looks each key up in the map of its batch."""
    spare: dict[int, int] = {}
    keysyms: list[int] = []
    for batch in batches:
        spare |= batch.bound
        keysyms += [
            spare[key.code] if key.code in spare else LAYOUT[key.code][key.shift] for key in batch.keys
        ]
    return keysyms


@given(st.lists(st.text("aZ ,äößя世界👍\u200d", max_size=30), max_size=5))
def test_what_is_planned_types_the_text(texts: list[str]) -> None:
    keymap = Keymap(LAYOUT, {50})
    assert keymap.spare == [93, 97, 103]
    batches: list[Batch] = []
    for text in texts:
        batches += keymap.plan([keysym_of(char) for char in text])
    assert typed(batches) == [keysym_of(char) for text in texts for char in text]
    assert all(set(batch.bound) <= {93, 97, 103} for batch in batches)


def test_the_layout_comes_first_and_what_was_bound_stays() -> None:
    keymap = Keymap(LAYOUT, {50})
    assert keymap.plan([ord("A")]) == [Batch({}, [Key(20, shift=True)])]
    assert keymap.plan([0xE4, 0xF6])[0].bound == {93: 0xE4, 97: 0xF6}
    assert keymap.plan([0xE4])[0].bound == {}
    assert keymap.plan([0xFC, 0xDF])[0].bound == {103: 0xFC, 97: 0xDF}  # ä was used later than ö


def test_a_dead_key_does_not_type_its_sign() -> None:
    keymap = Keymap({20: (DEAD_ACUTE, 0x22), 93: (0, 0)}, ())
    assert keymap.plan([keysym_of("'"), keysym_of("´")])[0].keys[0] == Key(93)


def test_a_keyboard_without_a_spare_key() -> None:
    with pytest.raises(LookupError):
        Keymap({20: (ord("a"), ord("A"))}, ()).plan([keysym_of("ä")])


def test_spare_keys_of_a_typer_that_was_killed_are_found_again() -> None:
    assert is_spare([0, 0, 0, 0])
    assert is_spare([0x0100_4E16, 0, 0x0100_4E16, 0])
    assert not is_spare([0xFF0D, 0, 0xFF0D])
    assert not is_spare([0xE4, 0xC4])


def test_one_key_changes_and_its_neighbours_stay() -> None:
    before = _MAP_HEAD.pack(b"\2\0\0\0", 1, 2, 2) + b"AAAABBBB" + _MAP_HEAD.pack(_ONE_LEVEL, 0, 0, 0)
    after, total = _with(before, 10, 2, {11: 0xE4})
    assert after == before[:16] + _MAP_HEAD.pack(_ONE_LEVEL, 1, 1, 1) + b"\xe4\0\0\0"
    assert total == 3
    assert _with(after, 10, 2, {11: 0}) == (before, 2)


def test_what_no_key_types_is_left_out() -> None:
    assert _typable("a\0b\x1b[c\r\n\td\ud800", "return") == "ab[c\n\td"
    assert _typable("a\nb", "space") == "a b"


@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(_pieces(text)) == text
