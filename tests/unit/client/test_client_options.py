"""Options become the protocol's query, and any way to write the server's address leads to it."""

from dataclasses import fields
from urllib.parse import parse_qsl, urlsplit

import pytest

from client.options import StreamOptions, http_address, stream_address, to_query
from shared.errors import BadParameter
from shared.events import SessionConfig
from shared.jobs import JobOptions


def test_defaults_are_left_to_the_server() -> None:
    assert to_query(StreamOptions()) == {}


def test_every_option_that_was_set_is_sent() -> None:
    options = StreamOptions(
        language="de",
        task="translate",
        model="base",
        prompt="Frau Müller & Co",
        hotwords="Würzburg",
        words=True,
        sample_rate=8000,
        encoding="mulaw",
        channels=2,
        partials=False,
        endpointing_ms=300,
        max_utterance_s=7.5,
        partial_interval_ms=1000,
        temperature=0.4,
        vad=0.0,
        profanity="mask",
        numerals="digits",
    )
    query = dict(parse_qsl(urlsplit(stream_address("ws://host", options)).query))
    assert query == {
        "language": "de",
        "task": "translate",
        "model": "base",
        "prompt": "Frau Müller & Co",
        "hotwords": "Würzburg",
        "words": "true",
        "sample_rate": "8000",
        "encoding": "mulaw",
        "channels": "2",
        "partials": "false",
        "endpointing_ms": "300",
        "max_utterance_s": "7.5",
        "partial_interval_ms": "1000",
        "temperature": "0.4",
        "vad": "0.0",
        "profanity": "mask",
        "numerals": "digits",
    }


def test_the_server_understands_every_option() -> None:
    """The names are fields of both sides, so that one that is added to one side alone fails here."""
    config = {field.name for field in fields(SessionConfig)}
    wire = {"sample_rate", "encoding", "channels"}
    set_by_the_edge = {"tenant", "surface", "trace"}
    assert {field.name for field in fields(StreamOptions)} == config - set_by_the_edge | wire


def test_languages_are_joined_with_commas() -> None:
    assert to_query(StreamOptions(languages=("de", "en"))) == {"languages": "de,en"}


def test_job_options_are_those_that_are_not_about_the_wire() -> None:
    assert to_query(JobOptions(words=True)) == {"words": "true"}


@pytest.mark.parametrize(
    ("url", "stream", "http"),
    [
        ("ws://h:8000", "ws://h:8000/v1/stream", "http://h:8000"),
        ("http://h:8000/", "ws://h:8000/v1/stream", "http://h:8000"),
        ("https://h", "wss://h/v1/stream", "https://h"),
        ("ws://h/stream", "ws://h/stream", "http://h"),
        ("wss://h/steno/v1/stream", "wss://h/steno/v1/stream", "https://h/steno"),
        ("wss://h/steno", "wss://h/steno/v1/stream", "https://h/steno"),
        ("ws://[::1]:80", "ws://[::1]:80/v1/stream", "http://[::1]:80"),
    ],
)
def test_one_address_serves_both_protocols(url: str, stream: str, http: str) -> None:
    assert stream_address(url, StreamOptions()) == stream
    assert http_address(url) == http


def test_a_query_in_the_address_is_kept() -> None:
    assert stream_address("ws://h/stream?a=1", StreamOptions(words=True)) == "ws://h/stream?a=1&words=true"


@pytest.mark.parametrize(
    "url", ["", "localhost", "localhost:8000", "ftp://h", "ws://", "ws://h:port", "ws://h:0"]
)
def test_what_is_no_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(BadParameter, match=repr(url)):
        stream_address(url, StreamOptions())
    with pytest.raises(BadParameter, match=repr(url)):
        http_address(url)


def test_an_option_that_no_server_knows_is_refused_here() -> None:
    with pytest.raises(BadParameter, match="language must be"):
        StreamOptions(language="klingon")


def test_a_second_of_audio_is_counted_in_its_own_format() -> None:
    assert StreamOptions().bytes_per_s == 32_000
    assert StreamOptions(sample_rate=8000, encoding="float32", channels=2).bytes_per_s == 64_000
