"""How pieces of text stand beside each other, and where the next one goes."""

from hypothesis import given
from hypothesis import strategies as st

from shared.transcript import Segment, Tail, Transcript, join

TEXTS = st.lists(st.text(alphabet="ab c今日กข.,", max_size=6), max_size=8)


def test_words_are_spaced_and_scripts_without_spaces_are_not() -> None:
    assert join("one", "two") == "one two"
    assert join("今日", "は") == "今日は"
    assert join("今日", "ABC") == "今日 ABC"
    assert join("", "two") == "two"
    assert join("one", "") == "one"


@given(TEXTS)
def test_a_tail_knows_where_each_text_starts(texts: list[str]) -> None:
    tail, whole = Tail(), ""
    for text in texts:
        offset = tail.offset_of(text)
        whole = join(whole, text)
        if text:
            assert whole[offset:] == text
        tail = tail.after(text)
        assert tail.length == len(whole)


@given(TEXTS)
def test_a_client_puts_texts_in_place_by_offset_alone(texts: list[str]) -> None:
    tail, whole, mine = Tail(), "", ""
    for text in texts:
        offset = tail.offset_of(text)
        mine = mine.ljust(offset)[:offset] + text if text else mine
        whole, tail = join(whole, text), tail.after(text)
    assert mine == whole


def test_a_transcript_joins_its_segments() -> None:
    segments = tuple(Segment(start=i, end=i + 1.0, text=t) for i, t in enumerate(["Hello", "", "there."]))
    assert Transcript(language="en", duration=3.0, segments=segments).text == "Hello there."
