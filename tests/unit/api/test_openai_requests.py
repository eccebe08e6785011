"""What requests to OpenAI's audio API ask for, which models names stand for, and errors."""

import json
from typing import Any

import pytest

from api.faults import Fault
from api.openai.asked import Asked, language_code, parse
from api.openai.errors import openai_shape
from api.openai.models import DEFAULT_ALIASES, parse_aliases, resolve
from api.openai.replies import logprobs, reply, speaker_name
from shared.errors import BadParameter, UnknownModel
from shared.transcript import Segment, Token, Transcript

SERVED = ["base", "large-v3"]


def test_without_fields_the_defaults_are_openai_s() -> None:
    assert parse([], "transcribe") == Asked(task="transcribe")
    assert parse([("stream", ""), ("temperature", ""), ("prompt", "")], "transcribe") == Asked(
        task="transcribe"
    )


def test_lists_are_read_with_brackets_and_without() -> None:
    bare = [("keywords", "Ada"), ("keywords", "Babbage"), ("languages", "de-AT"), ("languages", "fr")]
    asked = parse(bare, "transcribe")
    assert asked == parse([(f"{name}[]", value) for name, value in bare], "transcribe")
    assert (asked.hotwords, asked.languages, asked.language) == ("Ada, Babbage", ("de", "fr"), "auto")
    assert asked.options("").languages == ("de", "fr")


def test_one_language_of_a_list_is_the_language() -> None:
    assert parse([("languages[]", "de")], "transcribe").language == "de"
    both = parse([("languages[]", "de"), ("languages[]", "en"), ("language", "fr")], "transcribe")
    assert (both.language, both.languages) == ("fr", ())


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en", "en"), ("en-US", "en"), ("EN_us", "en"), ("english", "en"), ("Haitian Creole", "ht"),
     ("", "auto"), ("auto", "auto"), ("zh-Hant-TW", "zh"), ("nb-NO", "no"), ("jv", "jw"), ("yue", "yue")],
)  # fmt: skip
def test_language_tags(tag: str, code: str) -> None:
    assert language_code(tag) == code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", "klingon"),
        ("response_format", "JSON"),
        ("temperature", "-0.1"),
        ("temperature", "hot"),
        ("temperature", "inf"),
        ("timestamp_granularities", "letter"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(BadParameter) as refused:
        parse([(name, value)], "transcribe")
    assert refused.value.param == name


def test_long_texts_are_cut_where_the_model_would_not_read_them() -> None:
    asked = parse([("prompt", "a" * 5000 + "end")] + [("keywords[]", "b" * 900)] * 9, "transcribe")
    assert len(asked.prompt) == 2000
    assert asked.prompt.endswith("end")
    assert asked.hotwords == f"{'b' * 900}, {'b' * 900}"
    asked.options("")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("base", "base"),
        ("Systran/faster-whisper-base", "base"),
        ("openai/whisper-large-v3", "large-v3"),
        ("whisper-large-v3", "large-v3"),
        ("large", "large-v3"),
        ("whisper-1", ""),
        ("gpt-4o-mini-transcribe-2025-12-15", ""),
        ("", ""),
    ],
)
def test_names_of_models(name: str, model: str) -> None:
    assert resolve(name, DEFAULT_ALIASES, SERVED) == model


@pytest.mark.parametrize(
    "name", ["small", "whisper-2", "gpt-4", "../base", "a b", "x" * 5000, "base-2025-12-15"]
)
def test_an_unknown_name_is_none(name: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        resolve(name, DEFAULT_ALIASES, SERVED)
    assert len(str(refused.value)) < 200


def test_aliases_are_the_operator_s() -> None:
    aliases = parse_aliases("whisper-1=large-v3, -gpt-transcribe ,mine, gone=small")
    assert resolve("whisper-1", aliases, SERVED) == "large-v3"
    assert resolve("mine", aliases, SERVED) == ""
    for name in ("gpt-transcribe", "gone"):
        with pytest.raises(UnknownModel):
            resolve(name, aliases, SERVED)
    assert parse_aliases("") == DEFAULT_ALIASES
    for text in ("=base", "a b=c", "-x=y"):
        with pytest.raises(BadParameter, match="STENO_MODEL_ALIASES"):
            parse_aliases(text)


@pytest.mark.parametrize(
    ("status", "code", "retryable", "kind", "said", "again"),
    [
        (401, "unauthorized", False, "invalid_request_error", "invalid_api_key", "false"),
        (503, "no_capacity", True, "server_error", "no_capacity", "true"),
        (429, "busy", True, "rate_limit_error", "busy", "true"),
        # It failed after it was decoded, three times: no more of that.
        (500, "engine_fault", True, "server_error", "engine_fault", "false"),
        (408, "upload_stalled", True, "invalid_request_error", "upload_stalled", "false"),
    ],
)
def test_errors_say_whether_to_try_again(
    status: int, code: str, retryable: bool, kind: str, said: str, again: str
) -> None:
    """Traps 4 and 8."""
    answer = openai_shape(Fault(status=status, code=code, message="x", retryable=retryable))
    error = json.loads(bytes(answer.body))["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, said, None)
    assert answer.headers["x-should-retry"] == again


def test_tokens_that_are_part_of_a_letter_keep_their_bytes() -> None:
    rows = logprobs((Token(id=1, raw=" \xe2\x82", logprob=-0.5), Token(id=2, raw="\xac", logprob=-0.1)))
    assert bytes(b for row in rows for b in row["bytes"]).decode() == " €"
    assert rows[0]["token"] == " \ufffd"


def answered(transcript: Transcript, **fields: Any) -> Any:
    return json.loads(bytes(reply(transcript, Asked(task=transcript.task, **fields)).body))


def test_silence_is_an_answer_too() -> None:
    silence = Transcript(language="", duration=3, segments=())
    assert answered(silence) == {"text": "", "usage": {"type": "duration", "seconds": 3}}
    verbose = answered(silence, format="verbose_json", granularities=("word", "segment"))
    assert (verbose["segments"], verbose["words"], verbose["language"]) == ([], [], "unknown")
    assert isinstance(verbose["duration"], float)
    assert reply(silence, Asked(task="transcribe", format="srt")).body == b""


def test_texts_without_spaces_get_none() -> None:
    segments = (Segment(start=0, end=1, text="你好。"), Segment(start=1, end=2, text="再见。"))
    body = answered(Transcript(language="zh", duration=2.0, segments=segments), format="verbose_json")
    assert "".join(segment["text"] for segment in body["segments"]).strip() == body["text"] == "你好。再见。"


@pytest.mark.parametrize(
    ("speaker", "name"), [("S1", "A"), ("S2", "B"), ("S26", "Z"), ("S27", "A2"), ("", "A"), ("Ada", "A")]
)
def test_speakers_are_letters(speaker: str, name: str) -> None:
    assert speaker_name(speaker) == name
