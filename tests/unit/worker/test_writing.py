"""How text is written for the client, with the real libraries: what is shown for good stays."""

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import SessionConfig, Word
from shared.languages import NUMERAL_LANGUAGES, PROFANITY_LANGUAGES
from worker.core.writing import Shown, Writer
from worker.rules import LibraryRules

RULES = LibraryRules()
DIGITS = Writer(SessionConfig(numerals="digits"), RULES)
MASK = Writer(SessionConfig(profanity="mask"), RULES)
BOTH = Writer(SessionConfig(numerals="digits", profanity="mask"), RULES)
PLAIN = Writer(SessionConfig(), None)


def written(writer: Writer, heard: str, language: str = "en") -> str:
    return writer.text(Shown(), heard, language)


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("twenty three", "23"),
        ("I have twenty-three apples, and one banana.", "I have 23 apples, and one banana."),
        ('"Two hundred and five," he said.', '"205," he said.'),
        ("It was the twenty first of May", "It was the 21st of May"),
        ("one two three", "1 2 3"),
        ("No one knew", "No one knew"),
        ("It cost 23 dollars", "It cost 23 dollars"),
        ("", ""),
    ],
)
def test_spoken_numbers_become_digits(heard: str, text: str) -> None:
    assert written(DIGITS, heard) == text


@pytest.mark.parametrize(
    ("language", "heard"),
    [
        ("da", "treogtyve"),
        ("de", "dreiundzwanzig"),
        ("en", "twenty three"),
        ("es", "veintitrés"),
        ("fr", "vingt-trois"),
        ("it", "ventitré"),
        ("nl", "drieëntwintig"),
        ("pt", "vinte e três"),
    ],
)
def test_numbers_are_known_in_every_language_that_is_promised(language: str, heard: str) -> None:
    assert language in NUMERAL_LANGUAGES
    assert written(DIGITS, heard, language) == "23"


def test_a_language_that_is_not_known_is_left_as_it_was_heard() -> None:
    assert written(BOTH, "двадцать три", "ru") == "двадцать три"
    assert written(BOTH, "二十三", "zh") == "二十三"
    assert written(BOTH, "twenty three", "") == "twenty three"


@pytest.mark.parametrize(
    ("language", "word"),
    [("en", "shit"), ("de", "Scheiße"), ("fr", "merde"), ("es", "mierda"), ("it", "cazzo"), ("ru", "хуй")],
)
def test_profanity_is_masked_letter_by_letter(language: str, word: str) -> None:
    masked = word[0] + "*" * (len(word) - 1)
    assert written(MASK, f"{word}, {word}-!", language) == f"{masked}, {masked}-!"


def test_words_that_only_contain_a_profane_one_are_kept() -> None:
    text = "The class assesses a cocktail in Scunthorpe."
    assert written(MASK, text) == text


@pytest.mark.parametrize("name", PROFANITY_LANGUAGES.values())
def test_every_profanity_language_has_a_list(name: str) -> None:
    assert (files("glin_profanity") / "data" / "dictionaries" / f"{name}.json").is_file()


def test_a_translation_is_written_as_english() -> None:
    writer = Writer(SessionConfig(task="translate", numerals="digits"), RULES)
    assert written(writer, "twenty three men", "ru") == "23 men"


def test_without_a_wish_text_stays_and_all_that_is_committed_is_shown() -> None:
    heard = "Twenty three shit"
    assert written(PLAIN, heard) == heard
    assert PLAIN.commit(Shown(), heard, 9, "en") == Shown(9, "Twenty th")


def test_a_wish_without_rules_is_refused() -> None:
    with pytest.raises(ValueError, match="rules"):
        Writer(SessionConfig(numerals="digits"), None)


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        ("We saw twenty", "We"),  # more of the number may come
        ("We saw two hundred and", "We"),
        ("We saw two hundred and five men there today", "We saw 205 men there"),
        ("We saw two hundred men", "We"),
        ("We", ""),  # the word may go on
    ],
)
def test_a_number_is_shown_for_good_once_it_is_over(heard: str, shown: str) -> None:
    assert DIGITS.commit(Shown(), heard, len(heard), "en").text.removesuffix(" saw") == shown


def word(text: str, start: float, probability: float = 1.0) -> Word:
    return Word(text=text, start=start, end=start + 1, probability=probability)


def test_the_words_of_a_number_become_one() -> None:
    words = (word("Two", 0, 0.8), word("hundred", 1, 0.6), word("and", 2), word("five,", 3), word("shit", 4))
    assert BOTH.words(words, "en") == (
        Word(text="205,", start=0, end=4, probability=0.85),
        word("s***", 4),
    )


VOCABULARY = (
    "the and a of men shit zero one two three five twenty thirty-one hundred thousand point first second "
    "minus million 7 1984 half , Twenty three. fucking"
)
SPOKEN = st.sampled_from(VOCABULARY.split())


@given(
    words=st.lists(SPOKEN, max_size=25),
    steps=st.lists(st.tuples(st.integers(0, 25), st.lists(SPOKEN, max_size=4)), max_size=12),
)
def test_what_is_shown_for_good_never_changes_whatever_is_heard_later(
    words: list[str], steps: list[tuple[int, list[str]]]
) -> None:
    """Committed text grows; the tentative words behind it are others each time, and may continue its last
    word."""
    shown, committed = Shown(), 0
    for count, guess in steps:
        committed = max(committed, min(count, len(words)))
        stable = " ".join(words[:committed])
        heard = " ".join([stable, *guess]) if guess else stable + "teen" * bool(stable)
        before = shown
        shown = BOTH.commit(before, heard, len(stable), "en")
        assert shown.text.startswith(before.text)
        assert before.heard <= shown.heard <= len(stable)
        text = BOTH.text(shown, heard, "en")
        assert text.startswith(shown.text)
    final = BOTH.text(shown, " ".join(words), "en")
    assert final.startswith(shown.text)


NUMBERS = st.sampled_from(
    ["twenty three", "two hundred and five", "thirty-one", "nine thousand", "four million and seventy"]
)
OTHERS = st.sampled_from(["men", "and then we saw", "a house of", "the", "nor any"])


@given(st.lists(st.tuples(NUMBERS, OTHERS), max_size=6))
def test_numbers_that_come_word_by_word_are_not_torn_apart(phrases: list[tuple[str, str]]) -> None:
    whole = " ".join(f"{number} {other}" for number, other in phrases)
    words = whole.split()
    shown = Shown()
    for count in range(len(words)):
        heard = " ".join(words[: count + 1])
        shown = DIGITS.commit(shown, heard, len(heard), "en")
    assert DIGITS.text(shown, whole, "en") == written(DIGITS, whole)


@given(st.lists(SPOKEN, max_size=20))
def test_words_and_text_say_the_same(words: list[str]) -> None:
    text = " ".join(words)
    timed = tuple(word(w, i) for i, w in enumerate(words))
    assert " ".join(w.text for w in BOTH.words(timed, "en")) == written(BOTH, text)
