"""What of an open utterance is on the screen, and when it is replaced."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.events import Word
from worker.core.screen import SURER, Screen

SURE, UNSURE = -0.2, -0.7


def after(*said: tuple[str, float], stable: str = "") -> str:
    screen = Screen()
    for text, logprob in said:
        screen.partial(stable, text, logprob, is_whole=False)
    return screen.text


def test_a_sure_text_is_shown_as_it_is() -> None:
    assert after(("he was", SURE)) == "he was"
    assert after(("he was", SURE), ("he was here", SURE)) == "he was here"


def test_a_last_word_that_is_new_and_doubtful_is_shown_with_the_next_text() -> None:
    assert after(("he was", UNSURE)) == "he"
    assert after(("he was", UNSURE), ("he was", UNSURE)) == "he was"
    assert after(("he was", UNSURE), ("he is", UNSURE)) == "he is"


def test_a_doubtful_last_word_is_shown_at_once_when_silence_follows() -> None:
    screen = Screen()
    screen.partial("", "he was", UNSURE, is_whole=True)
    assert screen.text == "he was"


def test_words_are_replaced_when_two_texts_say_others() -> None:
    first, other = ("he was a good man", SURE), ("he has a good man", SURE)
    assert after(first, other) == "he was a good man"
    assert after(first, other, other) == "he has a good man"
    assert after(first, other, first) == "he was a good man"


def test_words_that_are_left_out_go_when_two_texts_leave_them_out() -> None:
    first, other = ("he was a very good man", SURE), ("he was a good man", SURE)
    assert after(first, other) == "he was a very good man"
    assert after(first, other, other) == "he was a good man"


def test_a_surer_text_replaces_words_at_once() -> None:
    assert after(("he was a good man", -0.4), ("he has a good man", -0.4 + SURER)) == "he has a good man"


def test_the_end_follows_what_is_heard() -> None:
    assert after(("he was a goo", SURE), ("he was a good man", SURE)) == "he was a good man"
    assert after(("he was a man", SURE), ("he was", SURE)) == "he was"


def test_a_word_that_moves_from_the_beginning_keeps_its_space() -> None:
    assert after(("was good man", SURE), ("he was a man", SURE)) in ("was a man", "was good man")
    assert after(("今日は", SURE), ("今日が良い", SURE), ("今日が良い", SURE)) == "今日が良い"


def test_a_final_is_shown_and_what_follows_must_say_more_than_once_that_it_is_wrong() -> None:
    screen = Screen()
    screen.partial("", "May Allah reply", UNSURE, is_whole=True)
    screen.replace("By Allah, replied", SURE)
    assert screen.text == "By Allah, replied"
    screen.partial("", "May Allah replied to", UNSURE, is_whole=True)
    assert screen.text == "By Allah replied to"


WORDS = st.lists(st.sampled_from(["he", "was", "a", "good", "man", "今", "日", "-"]), max_size=6).map(
    " ".join
)


@given(st.lists(st.tuples(WORDS, st.floats(-1.0, 0.0), st.booleans()), max_size=8), WORDS)
def test_what_is_committed_is_always_shown_as_it_is(said: list[tuple[str, float, bool]], stable: str) -> None:
    screen = Screen()
    for text, logprob, is_whole in said:
        screen.partial(stable, f"{stable} {text}".strip(), logprob, is_whole=is_whole)
        assert screen.text.startswith(stable)


@given(st.lists(st.tuples(WORDS, st.floats(-1.0, 0.0)), max_size=8), WORDS)
def test_what_is_said_twice_is_shown(said: list[tuple[str, float]], last: str) -> None:
    assert after(*said, (last, SURE), (last, SURE)) == last


def words(text: str, from_s: float = 0.0) -> list[Word]:
    return [
        Word(text=word, start=from_s + n, end=from_s + n + 0.5, probability=0.9)
        for n, word in enumerate(text.split())
    ]


def test_words_are_those_on_the_screen_though_more_were_heard() -> None:
    screen = Screen()
    screen.partial("", "he was here", UNSURE, is_whole=False)
    timed = screen.time(words("he was here"), 0.0)
    assert [(word.text, word.start) for word in timed] == [("he", 0.0), ("was", 1.0)]


def test_a_word_that_was_not_heard_again_keeps_its_time() -> None:
    screen = Screen()
    screen.partial("", "he was a good man", SURE, is_whole=False)
    screen.time(words("he was a good man"), 0.0)
    screen.partial("", "he has a good man", SURE, is_whole=False)
    timed = screen.time(words("he has a good man", 0.1), 0.0)
    assert [(word.text, word.start) for word in timed] == [
        ("he", 0.1),
        ("was", 1.0),
        ("a", 2.1),
        ("good", 3.1),
        ("man", 4.1),
    ]


def test_words_before_the_window_keep_their_times() -> None:
    screen = Screen()
    screen.partial("", "he was a good man", SURE, is_whole=False)
    screen.time(words("he was a good man"), 0.0)
    screen.partial("he was", "he was a good man indeed", SURE, is_whole=False)
    timed = screen.time(words("a good man indeed", 2.2), 2.0)
    assert [word.start for word in timed] == [0.0, 1.0, 2.2, 3.2, 4.2, 5.2]


@given(st.lists(st.tuples(WORDS, st.floats(-1.0, 0.0)), max_size=8))
def test_words_are_always_those_on_the_screen_in_the_order_of_their_times(
    said: list[tuple[str, float]],
) -> None:
    screen = Screen()
    for text, logprob in said:
        screen.partial("", text, logprob, is_whole=False)
        timed = screen.time(words(text), 0.0)
        assert "".join(word.text for word in timed) == "".join(screen.text.split())
        assert all(left.start <= right.start for left, right in pairwise(timed))
