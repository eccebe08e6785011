"""Short-lived keys: what they say, for how long, and that nobody else can say it."""

import base64
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ephemeral import KEY_CHARS_MAX, Claims, issue, read
from api.keys import Keyholder, parse_keys
from shared.errors import TooLarge

SESSION: dict[str, Any] = {"audio": {"input": {"transcription": {"language": "de"}}}}
CLAIMS = Claims("acme", 1000, SESSION)


def test_a_key_says_what_it_was_made_with_until_it_is_over() -> None:
    key = issue(CLAIMS, b"secret")
    assert key.startswith("ek_")
    assert read(key, b"secret", now_s=999.9) == CLAIMS
    assert read(key, b"secret", now_s=1000.0) is None
    assert read(key, b"another", now_s=0) is None


def test_a_key_fits_into_a_header() -> None:
    prompt = base64.b64encode(random.Random(1).randbytes(6000)).decode()
    with pytest.raises(TooLarge):
        issue(Claims("", 1, {"prompt": prompt}), b"")
    assert len(issue(CLAIMS, b"secret")) < KEY_CHARS_MAX


@given(st.text() | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_what_is_no_key_says_nothing(text: str) -> None:
    assert read(text, b"", now_s=0) is None
    assert read("ek_" + text, b"", now_s=0) is None


def test_it_ends_with_the_api_keys_that_it_was_made_under() -> None:
    before, after = (
        Keyholder(parse_keys(text)).signing_key() for text in ("acme:key-number-1", "acme:key-number-2")
    )
    assert before != after != Keyholder(None).signing_key()
    assert read(issue(CLAIMS, before), after, now_s=0) is None
