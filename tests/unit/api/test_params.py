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
        }
    )
    assert (params.sample_rate, params.encoding, params.channels) == (8_000, "mulaw", 2)
    assert params.config == SessionConfig(
        language="de", task="translate", model="base", prompt="p", hotwords="h", words=True, partials=False
    )


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
