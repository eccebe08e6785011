"""What the server reports is raised as the class that both sides know."""

import json

import pytest

from client.errors import BadReply, from_response, from_server
from shared.errors import BadParameter, NoCapacity, StenoError, TooLarge, Unavailable


def test_a_known_code_is_its_class_with_what_the_server_said() -> None:
    error = from_server("no_capacity", "all workers are busy", retryable=True, retry_after_s=2.5)
    assert isinstance(error, NoCapacity)
    assert (str(error), error.code, error.retryable, error.retry_after_s) == (
        "all workers are busy",
        "no_capacity",
        True,
        2.5,
    )


def test_a_code_of_a_newer_server_is_kept() -> None:
    error = from_server("over_quota", "too much today", retryable=True)
    assert type(error) is StenoError
    assert (error.code, error.retryable) == ("over_quota", True)
    assert (StenoError.code, StenoError.retryable) == ("internal", False)


def test_what_the_server_says_of_this_case_wins_over_the_class() -> None:
    assert from_server("no_capacity", "never", retryable=False).retryable is False


def test_an_http_error_is_read_from_its_body_and_header() -> None:
    body = json.dumps({"error": {"code": "too_large", "message": "over 2 GB", "retryable": False}})
    assert isinstance(from_response(413, body.encode(), retry_after=None), TooLarge)
    body = json.dumps({"error": {"code": "unavailable", "message": "later", "retryable": True}})
    error = from_response(503, body.encode(), retry_after="7")
    assert isinstance(error, Unavailable)
    assert error.retry_after_s == 7.0


def test_a_body_without_the_optional_field_is_enough() -> None:
    body = b'{"error": {"code": "bad_parameter", "message": "language: unknown"}}'
    assert isinstance(from_response(400, body, retry_after=None), BadParameter)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {}}', b'{"detail": 1}']
)
def test_another_server_is_named_as_such(body: bytes) -> None:
    error = from_response(404, body, retry_after=None)
    assert type(error) is BadReply
    assert "HTTP 404" in str(error)


def test_a_proxy_without_its_server_is_worth_another_try() -> None:
    error = from_response(502, b"<html>", retry_after="soon")
    assert type(error) is Unavailable
    assert (error.retryable, error.retry_after_s) == (True, None)
