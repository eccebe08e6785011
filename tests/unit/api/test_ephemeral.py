"""Short-lived keys: what they say, for how long, and that nobody else can say it."""

import base64
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ephemeral import KEY_CHARS_MAX, NO_SIGNER, Claims, Signer, id_of, issue, read
from api.keys import Keyholder, parse_keys
from shared.errors import TooLarge

SESSION: dict[str, Any] = {"audio": {"input": {"transcription": {"language": "de"}}}}
CLAIMS = Claims("acme", 1000, SESSION, ("live",), "https://page.example")
SIGNER, OTHER = Signer(b"abcdef", b"secret"), Signer(b"abcdef", b"another")


def find(id: bytes) -> Signer | None:
    return SIGNER if id == SIGNER.id else None


def test_a_key_says_what_it_was_made_with_until_it_is_over() -> None:
    key = issue(CLAIMS, SIGNER)
    assert key.startswith("ek_")
    assert read(key, find, now_s=999.9) == CLAIMS
    assert read(key, find, now_s=1000.0) is None
    assert read(key, lambda id: OTHER, now_s=0) is None


def test_a_key_fits_into_a_header() -> None:
    prompt = base64.b64encode(random.Random(1).randbytes(6000)).decode()
    with pytest.raises(TooLarge):
        issue(Claims("", 1, {"prompt": prompt}), SIGNER)
    assert len(issue(CLAIMS, SIGNER)) < KEY_CHARS_MAX


@given(st.text() | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_what_is_no_key_says_nothing(text: str) -> None:
    assert read(text, lambda id: NO_SIGNER, now_s=0) is None
    assert read("ek_" + text, lambda id: NO_SIGNER, now_s=0) is None


def test_it_ends_with_the_api_key_that_it_was_made_with_and_not_with_others() -> None:
    before = Keyholder(parse_keys("acme:key-number-1,acme:key-number-2"), token_secret="one")
    assert before.ring is not None
    keys = [before.ring.owner(f"key-number-{number}") for number in (1, 2)]
    first, second = (issue(CLAIMS, before.signer(key)) for key in keys if key)
    after = Keyholder(parse_keys("acme:key-number-2,other:key-number-3"), token_secret="one")
    assert read(first, before.signer_of, now_s=0) == CLAIMS == read(second, after.signer_of, now_s=0)
    assert read(first, after.signer_of, now_s=0) is None
    assert id_of(first) != id_of(second)
    elsewhere = Keyholder(before.ring, token_secret="two")
    assert read(first, elsewhere.signer_of, now_s=0) is None
    assert read(first, Keyholder(None).signer_of, now_s=0) is None
