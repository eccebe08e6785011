"""What was not spoken, and what was: text against what the model and the voice detector think of it."""

from dataclasses import replace

import pytest
from faster_whisper.transcribe import get_compression_ratio
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Word
from worker.core.decode import DecodeResult, Kind
from worker.core.filters import (
    ALL,
    COMPRESSION_RATIO,
    Drop,
    Evidence,
    believed,
    compression_ratio,
    is_certain,
    is_silence_phrase,
    spoken_words,
    without_loop,
    without_restart,
)
from worker.core.silence_phrases import PHRASES

GOOD = DecodeResult(text="He was here before the others came.", language="en", avg_logprob=-0.2)
FINAL, PARTIAL = Kind.FINAL, Kind.PARTIAL


def reason(result: DecodeResult, kind: Kind = FINAL, speech_s: float = 2.0) -> Drop | None:
    left, found = believed(result, kind, speech_s)
    assert (left == result) == (found is None)
    return found


def test_what_is_sure_and_fits_its_speech_is_believed() -> None:
    assert reason(GOOD) is None
    assert reason(GOOD, PARTIAL) is None
    assert reason(DecodeResult(text="", language="en")) is None


@pytest.mark.parametrize(
    ("result", "speech_s", "found"),
    [
        (replace(GOOD, no_speech_prob=0.9, avg_logprob=-1.2), 2.0, Drop.SILENCE),
        (replace(GOOD, no_speech_prob=0.9), 2.0, None),
        (replace(GOOD, runaway=True), 2.0, Drop.LOOP),
        (replace(GOOD, compression_ratio=3.0), 2.0, Drop.COMPRESSION),
        (replace(GOOD, avg_logprob=-1.1), 2.0, Drop.LOGPROB),
        (replace(GOOD, avg_logprob=-0.9), 2.0, None),
        (GOOD, 0.6, Drop.DURATION),
        (GOOD, 0.9, None),
        (replace(GOOD, avg_logprob=-0.45), 12.0, Drop.SPARSE),
        (GOOD, 12.0, None),
        (replace(GOOD, text="... ... ..."), 0.5, Drop.SPARSE),
        (replace(GOOD, text="Thank you."), 0.2, Drop.PHRASE),
        (replace(GOOD, text="Thank you."), 0.5, None),
        (replace(GOOD, text="Thank you.", avg_logprob=-0.7), 0.5, Drop.PHRASE),
    ],
)
def test_each_reason_has_its_evidence(result: DecodeResult, speech_s: float, found: Drop | None) -> None:
    assert reason(result, speech_s=speech_s) is found
    left, _ = believed(result, FINAL, speech_s)
    assert left.text == ("" if found else result.text)


def test_the_first_partial_must_be_surer_than_a_final() -> None:
    unsure = replace(GOOD, avg_logprob=-0.8)
    assert reason(unsure, FINAL) is None
    assert reason(unsure, PARTIAL) is Drop.LOGPROB
    assert believed(unsure, PARTIAL, 2.0, evidence=Evidence(is_first=False)) == (unsure, None)
    assert not is_certain(unsure)


@pytest.mark.parametrize(
    ("logprob", "evidence", "found"),
    [
        (-0.71, {}, Drop.LOGPROB),
        (-0.69, {}, None),
        (-0.71, {"is_clear": True}, None),
        (-0.71, {"is_first": False}, None),
        (-1.1, {"is_first": False}, Drop.LOGPROB),
        (-0.69, {"is_drawn": True}, Drop.LOGPROB),
    ],
)
def test_a_final_whose_partials_were_not_believed_must_be_as_sure_as_a_first_partial(
    logprob: float, evidence: dict[str, bool], found: Drop | None
) -> None:
    unsure = replace(GOOD, avg_logprob=logprob)
    assert believed(unsure, FINAL, 2.0, evidence=Evidence(is_doubted=True, **evidence))[1] is found


def test_a_partial_may_be_less_sure_where_one_voice_stands_above_the_room() -> None:
    for logprob, found in ((-0.9, None), (-1.1, Drop.LOGPROB)):
        unsure = replace(GOOD, avg_logprob=logprob)
        assert believed(unsure, PARTIAL, 2.0, evidence=Evidence(is_clear=True))[1] is found


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("He was not here. He was NOT", "He was not here."),
        ("Margaret said Mr. Hell. Margaret said Mr. Hale. Margaret said Mr", "Margaret said Mr. Hell."),
        ("He was here and he was there", "He was here and he was there"),
        ("no no no no", "no no no no"),
        ("", ""),
    ],
)
def test_a_text_that_begins_again_is_cut_there(text: str, once: str) -> None:
    assert without_restart(text) == once


def test_a_sure_partial_that_begins_again_is_believed_once() -> None:
    again = replace(GOOD, text="He was here before. He was here bef", runaway=True)
    assert believed(again, PARTIAL, 2.0)[0].text == "He was here before."
    assert believed(replace(again, avg_logprob=-0.6), PARTIAL, 2.0)[0].text == ""
    assert believed(again, FINAL, 2.0)[0].text == ""
    assert believed(replace(GOOD, runaway=True), PARTIAL, 2.0)[0].text == ""


def test_a_filter_that_is_off_takes_nothing() -> None:
    doubtful = replace(GOOD, avg_logprob=-1.1)
    assert believed(doubtful, FINAL, 2.0, ALL - {Drop.LOGPROB}) == (doubtful, None)


def word(text: str, start: float) -> Word:
    return Word(text=text, start=start, end=start + 0.2, probability=0.9)


LOOP = "And then it went " + "round and round " * 4 + "round"


def test_a_loop_at_the_end_of_a_sure_final_is_cut_and_its_words_with_it() -> None:
    words = tuple(word(text, 0.2 * i) for i, text in enumerate(LOOP.split()))
    left, found = believed(replace(GOOD, text=LOOP, words=words), FINAL, 4.0)
    assert found is Drop.LOOP
    assert left.text == "And then it went round and round"
    assert [w.text for w in left.words] == left.text.split()


def test_saying_five_words_twice_is_a_loop_only_in_a_doubtful_text() -> None:
    twice = "so this is how it was. This is how it was."
    assert reason(replace(GOOD, text=twice), speech_s=4.0) is None
    assert reason(replace(GOOD, text=twice, avg_logprob=-0.9), speech_s=4.0) is Drop.LOOP


def test_a_loop_in_a_doubtful_text_takes_all_of_it() -> None:
    left, found = believed(replace(GOOD, text=LOOP, avg_logprob=-0.6), FINAL, 4.0)
    assert (left.text, left.words, found) == ("", (), Drop.LOOP)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no, no, no, no", "no, no, no, no"),
        ("to to to to to to to to", "to"),
        ("so I'm sorry. I'm sorry, I'm sorry. I'm sorry", "so I'm sorry."),
        ("one two three one two three", "one two three one two three"),
        ("はいはいはいはいはいはい", "はい"),
        ("", ""),
    ],
)
def test_what_is_said_again_and_again_is_said_once(text: str, kept: str) -> None:
    assert without_loop(text) == kept


@pytest.mark.parametrize(
    ("logprob", "evidence", "found"),
    [
        (-0.55, {}, Drop.LOGPROB),
        (-0.45, {}, None),
        (-0.71, {"is_clear": True}, None),
        (-0.71, {"is_first": False}, None),
        (-1.1, {"is_clear": True}, Drop.LOGPROB),
    ],
)
def test_a_final_that_was_drawn_by_chance_needs_another_witness_or_must_be_sure(
    logprob: float, evidence: dict[str, bool], found: Drop | None
) -> None:
    drawn = replace(GOOD, avg_logprob=logprob, temperature=0.6)
    assert believed(drawn, FINAL, 2.0, evidence=Evidence(is_drawn=True, **evidence))[1] is found
    assert believed(replace(drawn, avg_logprob=-0.9), FINAL, 2.0)[1] is None


@given(st.text(alphabet="ab .,今日", max_size=40))
def test_a_cut_text_is_a_beginning_and_cutting_ends(text: str) -> None:
    cut = without_loop(text)
    assert text.startswith(cut)
    assert without_loop(cut) in (cut, without_loop(without_loop(cut)))


def test_characters_without_spaces_count_half_a_word() -> None:
    assert spoken_words("今日は - ok!") == 2.5


@pytest.mark.parametrize(
    ("text", "language", "known"),
    [
        ("Thank you.", "en", True),
        ("Thank you. Thank you.", "en", True),
        ("THANKS FOR WATCHING!", "fr", True),
        ("Untertitelung des ZDF, 2020", "de", True),
        ("ご視聴ありがとうございました。", "ja", True),
        ("Thank you for the soup.", "en", False),
        ("Untertitelung des ZDF", "en", False),
        ("...", "en", False),
    ],
)
def test_silence_phrases_are_compared_without_case_marks_and_years(
    text: str, language: str, known: bool
) -> None:
    assert is_silence_phrase(text, language) is known


def test_every_phrase_is_one_in_its_own_language() -> None:
    for language, phrases in PHRASES.items():
        assert [p for p in phrases if not is_silence_phrase(p, language or "en")] == []


def test_a_partial_that_leaves_out_seconds_of_speech_is_not_believed() -> None:
    assert believed(GOOD, PARTIAL, 6.0, longest_word_s=2.6)[1] is Drop.HOLE
    assert believed(GOOD, PARTIAL, 6.0, longest_word_s=2.4)[1] is None
    assert believed(GOOD, FINAL, 6.0, longest_word_s=9.0)[1] is None


MENU = " ".join(
    f"Для {wish} сообщения нажмите {key}."
    for wish, key in (
        ("прослушивания следующего", 6),
        ("повторного прослушивания", 5),
        ("прослушивания предыдущего", 4),
        ("удаления или восстановления", 0),
    )
)


def test_a_text_in_a_script_of_two_bytes_is_no_loop_for_that() -> None:
    assert get_compression_ratio(MENU) > COMPRESSION_RATIO
    assert compression_ratio(MENU) < COMPRESSION_RATIO
    assert compression_ratio("нажмите решетку " * 12) > COMPRESSION_RATIO
    assert compression_ratio("谢谢观看" * 12) > COMPRESSION_RATIO


@pytest.mark.parametrize(
    "text", [GOOD.text, "Il a été très tôt réveillé par l’orage.", "no no no no no no no"]
)
def test_texts_in_latin_script_are_compressed_as_the_reference_does(text: str) -> None:
    assert compression_ratio(text) == get_compression_ratio(text)
