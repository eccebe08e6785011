"""Query parameters, one by one and against what the workers serve."""

import pytest

from api.params import check_against_workers, parse_stream_params
from shared.errors import BadParameter
from shared.events import SessionConfig
from shared.redis.presence import WorkerPresence


def worker(model: str, *languages: str) -> WorkerPresence:
    return WorkerPresence(
        worker=model, model=model, device="cpu int8", languages=languages, capacity=1, active=0
    )


def test_without_parameters_the_defaults_are_the_documented_ones() -> None:
    params = parse_stream_params({})
    assert (params.sample_rate, params.encoding, params.channels) == (16_000, "pcm16", 1)
    assert params.config == SessionConfig()


def test_every_parameter_arrives() -> None:
    params = parse_stream_params(
        {
            "sample_rate": "8000",
            "encoding": "mulaw",
            "channels": "2",
            "language": "DE",
            "task": "translate",
            "model": "base",
            "prompt": "p",
            "hotwords": "h",
            "words": "1",
            "partials": "no",
            "endpointing_ms": "300",
            "max_utterance_s": "7.5",
            "partial_interval_ms": "1000",
            "temperature": "0.4",
            "vad": "0.7",
            "profanity": "mask",
            "numerals": "digits",
        }
    )
    assert (params.sample_rate, params.encoding, params.channels) == (8_000, "mulaw", 2)
    assert params.config == SessionConfig(
        language="de",
        task="translate",
        model="base",
        prompt="p",
        hotwords="h",
        words=True,
        partials=False,
        endpointing_ms=300,
        max_utterance_s=7.5,
        partial_interval_ms=1000,
        temperature=0.4,
        vad=0.7,
        profanity="mask",
        numerals="digits",
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"endpointing_ms": "199"}, "endpointing_ms must be a whole number from 200 to 10000"),
        ({"endpointing_ms": "10001"}, "200 to 10000"),
        ({"endpointing_ms": "300.5"}, "whole number"),
        ({"partial_interval_ms": "0"}, "partial_interval_ms must be a whole number from 200 to 10000"),
        ({"max_utterance_s": "4.9"}, "max_utterance_s must be a number from 5 to 27"),
        ({"max_utterance_s": "28"}, "5 to 27"),
        ({"temperature": "1.1"}, "temperature must be a number from 0 to 1"),
        ({"temperature": "nan"}, "0 to 1"),
        ({"temperature": "-0.1"}, "0 to 1"),
        ({"vad": "1e-3"}, "vad must be a number from 0 to 1"),
        ({"vad": ""}, "0 to 1"),
        ({"profanity": "yes"}, "profanity must be one of keep, mask"),
        ({"numerals": "roman"}, "numerals must be one of auto, digits, spoken"),
        ({"languages": "de,xx"}, "language must be"),
        ({"languages": ""}, "language must be"),
        ({"languages": "de,auto"}, "such as de,en"),
        ({"languages": "de,en", "language": "de"}, "language=auto"),
        ({"numerals": "digits", "language": "ru"}, "da, de, en"),
        ({"profanity": "mask", "language": "zh"}, "profanity=mask is for"),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_allowed(query: dict[str, str], message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        parse_stream_params(query)


@pytest.mark.parametrize(
    ("query", "language", "languages"),
    [
        ({"languages": "de, EN,de"}, "auto", ("de", "en")),
        ({"languages": "de,en", "language": "auto"}, "auto", ("de", "en")),
        ({"languages": "fr"}, "fr", ()),
        ({}, "auto", ()),
    ],
)
def test_detection_is_told_what_to_choose_among(
    query: dict[str, str], language: str, languages: tuple[str, ...]
) -> None:
    config = parse_stream_params(query).config
    assert (config.language, config.languages) == (language, languages)


def test_what_is_written_into_english_takes_the_rules_of_english() -> None:
    query = {"language": "ru", "task": "translate", "numerals": "digits"}
    assert parse_stream_params(query).config.numerals == "digits"


@pytest.mark.parametrize("value", ["-1", "1e4", "16000.0", "", "９", "99999999999"])
def test_numbers_are_plain_digits(value: str) -> None:
    with pytest.raises(BadParameter, match="sample_rate"):
        parse_stream_params({"sample_rate": value})


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        (SessionConfig(model="base"), ""),
        (SessionConfig(model="large"), "served here"),
        (SessionConfig(language="de"), ""),
        (SessionConfig(language="fr"), "not known to the model"),
        (SessionConfig(languages=("de", "en")), ""),
        (SessionConfig(languages=("de", "fr")), "'fr' is not known to the model"),
        (SessionConfig(task="translate"), ""),
    ],
)
def test_what_no_worker_could_do_is_refused(config: SessionConfig, refused: str) -> None:
    workers = [worker("base", "en", "de"), worker("tiny.en", "en")]
    if not refused:
        check_against_workers(config, workers)
        return
    with pytest.raises(BadParameter, match=refused):
        check_against_workers(config, workers)


def test_an_english_model_does_not_translate() -> None:
    with pytest.raises(BadParameter, match="multilingual"):
        check_against_workers(SessionConfig(task="translate"), [worker("tiny.en", "en")])


def test_nothing_is_refused_while_no_worker_is_there() -> None:
    check_against_workers(SessionConfig(model="large", language="fr"), [])
