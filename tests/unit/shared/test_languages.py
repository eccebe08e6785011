"""The list of languages is the model's own."""

import pytest

from shared.errors import BadParameter
from shared.languages import LANGUAGES, check_language


def test_the_codes_are_those_of_whisper() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(LANGUAGES) == set(_LANGUAGE_CODES)
    assert all(LANGUAGES.values())


@pytest.mark.parametrize(("given", "code"), [("en", "en"), (" DE ", "de"), ("auto", "auto"), ("yue", "yue")])
def test_a_known_code_is_taken(given: str, code: str) -> None:
    assert check_language(given) == code


@pytest.mark.parametrize("given", ["", "english", "xx", "en-US"])
def test_an_unknown_code_is_refused(given: str) -> None:
    with pytest.raises(BadParameter, match="language"):
        check_language(given)
