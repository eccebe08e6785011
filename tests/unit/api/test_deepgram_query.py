"""The query of `/v1/listen`."""

import pytest

from api.deepgram.query import Asked, language_code, parse
from shared.audio.convert import AudioFormat
from shared.errors import BadParameter


def live(**values: str) -> Asked:
    return parse(values.items(), live=True)


def refusal(**values: str) -> str:
    with pytest.raises(BadParameter) as error:
        live(**values)
    return error.value.message


def test_nothing_asked_for_is_english_finals_in_whatever_container_comes() -> None:
    asked = live()
    assert asked.audio is None
    assert (asked.config.language, asked.config.partials, asked.config.words) == ("en", False, True)
    assert (asked.config.endpointing_ms, asked.config.numerals, asked.config.profanity) == (
        None,
        "auto",
        "keep",
    )
    assert (asked.interim_results, asked.vad_events, asked.utterance_end_s) == (False, False, None)


@pytest.mark.parametrize(
    ("encoding", "ours"),
    [("linear16", "pcm16"), ("linear32", "float32"), ("mulaw", "mulaw"), ("alaw", "alaw")],
)
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_raw_encodings(encoding: str, ours: str, rate: int) -> None:
    asked = live(encoding=encoding, sample_rate=str(rate), channels="2")
    assert asked.audio == AudioFormat(ours, rate, 2)


@pytest.mark.parametrize("encoding", ["opus", "ogg-opus", "flac", "amr-nb", "amr-wb", "speex"])
def test_encodings_that_say_what_they_are_need_no_rate(encoding: str) -> None:
    assert live(encoding=encoding).audio is None


def test_raw_audio_needs_a_rate_and_a_format_that_can_be_heard() -> None:
    assert "sample_rate" in refusal(encoding="linear16")
    assert parse([("encoding", "linear16")], live=False).audio is None  # a file may say it itself
    assert "encoding" in refusal(encoding="g729", sample_rate="8000")
    assert "sample_rate" in refusal(encoding="linear16", sample_rate="many")
    assert "sample_rate" in refusal(encoding="linear16", sample_rate="1000000")
    assert "channels" in refusal(encoding="linear16", sample_rate="16000", channels="9")


@pytest.mark.parametrize("yes", ["true", "True", "TRUE", "1"])
@pytest.mark.parametrize("no", ["false", "False", "0", ""])
def test_trap_27_booleans_and_numbers_are_strings_of_any_case(yes: str, no: str) -> None:
    asked = live(interim_results=yes, vad_events=yes, multichannel=no, utterance_end_ms="1500")
    assert (asked.interim_results, asked.config.partials, asked.vad_events) == (True, True, True)
    assert not asked.multichannel
    assert asked.utterance_end_s == 1.5
    assert "interim_results" in refusal(interim_results="perhaps")


def test_trap_26_a_silence_too_short_for_phrases_is_our_least() -> None:
    assert live(endpointing="25").config.endpointing_ms == 200
    assert live(endpointing="500").config.endpointing_ms == 500
    assert live(endpointing="99999").config.endpointing_ms == 10_000
    assert live(endpointing="false").config.endpointing_ms == 10_000
    assert live(endpointing="True").config.endpointing_ms is None
    assert "endpointing" in refusal(endpointing="soon")


def test_an_utterance_end_is_within_its_bounds() -> None:
    for value in ("999", "5001", "soon"):
        assert "utterance_end_ms" in refusal(utterance_end_ms=value)
    assert live(utterance_end_ms="false").utterance_end_s is None


def test_language_tags_are_cut_to_codes() -> None:
    for tag, code in {"en-US": "en", "de": "de", "zh-Hant": "zh", "pt_BR": "pt", "nb": "no"}.items():
        assert language_code(tag) == live(language=tag).config.language == code
    assert "language" in refusal(language="klingon")


def test_multi_detects_and_names_languages() -> None:
    asked = live(language="multi")
    assert (asked.config.language, asked.config.languages, asked.multi) == ("auto", (), True)
    hinted = parse([("language", "multi"), ("language_hint", "es"), ("language_hint", "en-GB")], live=True)
    assert hinted.config.languages == ("es", "en")


def test_detection_may_be_among_some() -> None:
    asked = live(detect_language="true", language="fr")
    assert (asked.config.language, asked.detect_language) == ("auto", True)
    some = parse([("detect_language", "en"), ("detect_language", "de")], live=False)
    assert some.config.languages == ("en", "de")
    assert not live(detect_language="false").detect_language


def test_terms_become_hotwords_without_their_boosts() -> None:
    asked = parse(
        [
            ("keyterm", "Steno edge"),
            ("keywords", "Valkey:2.5"),
            ("keywords", "um:-3"),
            ("keywords", "ratio:a"),
        ],
        live=True,
    )
    assert asked.config.hotwords == "Steno edge, Valkey, ratio:a"
    assert asked.keyterms == ("Steno edge", "Valkey", "ratio:a")
    assert "keyterm" in refusal(keyterm="x" * 2001)


def test_writing_is_asked_for_where_it_can_be_done() -> None:
    assert live(smart_format="true").config.numerals == "digits"
    assert live(numerals="true", language="de").config.numerals == "digits"
    assert live(numerals="true", language="ja").config.numerals == "auto"
    assert live(profanity_filter="true").config.profanity == "mask"
    assert live(profanity_filter="true", language="ja").config.profanity == "keep"


def test_what_is_not_done_is_taken_and_named_and_what_is_not_known_is_taken() -> None:
    asked = live(
        punctuate="true", redact="false", diarize="true", dictation="false", filler_words="true", whatever="1"
    )
    assert asked.ignored == ("diarize", "filler_words")


def test_the_same_for_a_file() -> None:
    query = {"language": "de", "keyterm": "Steno", "multichannel": "true", "utterances": "true", "tag": "a"}
    asked = parse(query.items(), live=False)
    job = asked.job("base")
    assert (job.language, job.model, job.hotwords, job.words) == ("de", "base", "Steno", True)
    assert (job.channels, job.priority) == ("split", "interactive")
    assert (asked.utterances, asked.utt_split_s, asked.tags) == (True, 0.8, ("a",))
