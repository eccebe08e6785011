"""Windows of files become lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Word
from worker.core.decode import DecodeResult
from worker.core.segments import SEGMENT_CHARS_MAX, SEGMENT_S_MAX, to_segments


def heard(*words: tuple[str, float, float]) -> DecodeResult:
    items = tuple(Word(text=t, start=a, end=b, probability=0.9) for t, a, b in words)
    return DecodeResult(text=" ".join(t for t, _, _ in words), language="en", words=items, avg_logprob=-0.3)


def test_sentences_and_pauses_end_segments() -> None:
    result = heard(
        ("Hello", 0.0, 0.4), ("there.", 0.4, 0.8), ("I", 0.9, 1.0), ("am", 1.0, 1.2), ("here", 2.5, 3.0)
    )
    segments = to_segments(result, offset_s=10.0, duration_s=4.0, words=True)
    assert [(s.start, s.end, s.text) for s in segments] == [
        (10.0, 10.8, "Hello there."),
        (10.9, 11.2, "I am"),
        (12.5, 13.0, "here"),
    ]
    assert segments[0].words[1].end == pytest.approx(10.8)
    assert segments[0].avg_logprob == -0.3


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Mr. Quilter met Mrs. Jones at 5 p.m. on Jan. 5.",
                "The U.S. Army, e.g. Dr. J. R. Smith, came.",
                "Yes!",
            ],
        ),
        ("de", ["Herr Dr. Müller kommt z.B. am 3. Mai.", "Das ist gut."]),
        ("fr", ["Bonjour.", "J'aime les livres, les films, etc. et voilà.", "Oui !"]),
        ("ja", ["これはペンです。", "それは本です。"]),
        ("xx", ["Of an unknown language.", "The marks are known."]),
        ("", ["So are they.", "Of none at all… good."]),
    ],
)
def test_an_abbreviation_ends_no_sentence(language: str, sentences: list[str]) -> None:
    texts = [text for sentence in sentences for text in sentence.split()]
    words = tuple(Word(text=t, start=i / 4, end=i / 4 + 0.2, probability=1.0) for i, t in enumerate(texts))
    result = DecodeResult(text=" ".join(texts), language=language, words=words)
    segments = to_segments(result, offset_s=0.0, duration_s=99.0, words=False)
    assert [segment.text for segment in segments] == sentences


def test_words_are_left_out_when_not_wanted() -> None:
    segments = to_segments(heard(("Hello", 0.0, 0.4)), offset_s=0.0, duration_s=1.0, words=False)
    assert segments[0].words == ()


def test_a_result_without_times_is_one_segment_and_an_empty_one_is_none() -> None:
    text = DecodeResult(text="Hello", language="en")
    (segment,) = to_segments(text, offset_s=5.0, duration_s=2.0, words=False)
    assert (segment.start, segment.end, segment.text) == (5.0, 7.0, "Hello")
    empty = DecodeResult(text="", language="en")
    assert to_segments(empty, offset_s=0.0, duration_s=1.0, words=False) == ()


@given(
    st.lists(st.sampled_from(["a", "word.", "longer", "x" * 50]), min_size=1, max_size=60),
    st.floats(0.1, 2.0),
)
def test_no_word_is_lost_and_lines_stay_short(texts: list[str], step: float) -> None:
    result = heard(*((t, i * step, i * step + 0.1) for i, t in enumerate(texts)))
    segments = to_segments(result, offset_s=0.0, duration_s=99.0, words=True)
    assert [w.text for s in segments for w in s.words] == texts
    for segment in segments:
        assert segment.end - segment.start <= SEGMENT_S_MAX or len(segment.words) == 1
        assert len(segment.text) <= SEGMENT_CHARS_MAX or len(segment.words) == 1
