"""No word is lost or doubled where windows that overlap meet."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shared.events import Word
from worker.jobs.seams import Seams, seam


def word(text: str, start: float) -> Word:
    return Word(text=text, start=start, end=start + 0.3, probability=0.9)


def said(*pieces: tuple[str, float]) -> list[Word]:
    return [word(text, start) for text, start in pieces]


def joined(left: list[Word], right: list[Word], cut_s: float = 10.0, overlap_s: float = 2.0) -> str:
    ends, begins = seam(left, right, cut_s, overlap_s)
    return " ".join(w.text for w in [*left[:ends], *right[begins:]])


def test_windows_go_over_at_a_word_that_both_hear() -> None:
    left = said(("who", 8.0), ("put", 8.6), ("the", 9.2), ("cat", 9.7), ("on", 10.2), ("them", 10.7))
    right = said(("ut", 9.0), ("The", 9.3), ("cat,", 9.8), ("on", 10.3), ("the", 10.7), ("mat", 11.2))
    assert joined(left, right) == "who put the cat on the mat"


def test_a_word_that_is_said_twice_is_matched_by_its_time() -> None:
    left = said(("no", 9.2), ("no", 9.7), ("no", 10.2))
    right = said(("no", 9.3), ("no", 9.8), ("no", 10.3), ("way", 10.8))
    assert joined(left, right) == "no no no way"


def test_without_a_common_word_the_middle_of_the_overlap_decides() -> None:
    left = said(("one", 9.0), ("two", 9.5), ("tree", 10.4))
    right = said(("wo", 9.5), ("three", 10.4), ("four", 11.0))
    assert joined(left, right) == "one two three four"
    # A word on the cut that one hears before and the other behind it is not lost, and not doubled.
    assert joined(said(("one", 9.0), ("six", 9.87)), said(("six", 10.5), ("four", 11.2))) == "one six four"
    assert joined(said(("one", 9.0), ("sick", 9.9)), said(("four", 11.2))) == "one sick four"
    assert joined([], said(("six", 9.9), ("four", 11.0))) == "six four"
    assert joined([], []) == ""


def test_a_first_word_with_the_time_of_what_was_not_understood_takes_no_words_away() -> None:
    left = said(("else", 9.4), ("he", 9.8), ("said", 10.4))
    his = Word(text="His", start=9.0, end=11.4, probability=0.5)
    assert joined(left, [his, *said(("statement", 11.5))]) == "else he said His statement"


@given(
    st.lists(st.integers(0, 5), min_size=30, max_size=200),
    st.floats(0.35, 0.7),
    st.floats(0.0, 0.1),
    st.randoms(use_true_random=False),
)
def test_windows_in_any_order_say_every_word_once(
    spoken: list[int], step_s: float, jitter_s: float, rng: Random
) -> None:
    """Each window hears the words that lie whole in it, at times that are a little wrong, and something else
    instead of those that its edges cut."""
    length_s, overlap_s, window_s = len(spoken) * step_s, 2.0, 8.0
    windows: list[tuple[float, float]] = []
    at_s = 0.0
    while True:
        end_s = at_s + window_s
        windows.append((at_s, length_s if end_s >= length_s else end_s))
        if end_s >= length_s:
            break
        at_s = end_s - overlap_s
    seams = Seams()
    for index, (from_s, _) in enumerate(windows):
        last = index == len(windows) - 1
        seams.expect(index, from_s, lead_s=overlap_s if index else 0.0, trail_s=0.0 if last else overlap_s)

    def hear(from_s: float, to_s: float) -> list[Word]:
        heard: list[Word] = []
        for n, number in enumerate(spoken):
            start_s = n * step_s
            if from_s <= start_s and start_s + 0.3 <= to_s:
                heard.append(word(f"w{number}", start_s + rng.uniform(-jitter_s, jitter_s)))
            elif from_s < start_s + 0.3 and start_s < to_s:
                heard.append(word("half", max(from_s, start_s)))
        return heard

    order = list(range(len(windows)))
    rng.shuffle(order)
    own: dict[int, tuple[Word, ...]] = {}
    for index in order:
        for done, words in seams.heard(index, hear(*windows[index])):
            assert done not in own
            own[done] = words
    assert sorted(own) == sorted(order)
    assert seams.open_from_s == float("inf")
    assert [w.text for index in sorted(own) for w in own[index]] == [f"w{number}" for number in spoken]


def test_a_window_waits_for_its_neighbours_words_only_where_they_overlap() -> None:
    seams = Seams()
    seams.expect(0, 0.0, lead_s=0.0, trail_s=2.0)
    seams.expect(1, 8.0, lead_s=2.0, trail_s=0.0)
    seams.expect(2, 20.0, lead_s=0.0, trail_s=0.0)
    assert [index for index, _ in seams.heard(2, said(("c", 20.0)))] == [2]
    assert seams.heard(0, said(("a", 1.0))) == []
    assert seams.open_from_s == 0.0
    assert [index for index, _ in seams.heard(1, said(("b", 12.0)))] == [0, 1]
