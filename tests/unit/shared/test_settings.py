"""Settings from the environment, with errors that name the variable; and the page that lists them."""

import re
from pathlib import Path

import pytest

from shared.errors import BadParameter
from shared.settings import Settings, load_settings

DOCUMENT = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def test_the_page_lists_every_setting() -> None:
    documented = set(re.findall(r"^\| `(STENO_\w+)`", DOCUMENT, re.MULTILINE)) - {"STENO_MODEL_CACHE"}
    assert documented == {f"STENO_{name.upper()}" for name in Settings.model_fields}


def test_the_environment_is_read_and_flags_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_PORT", "9000")
    monkeypatch.setenv("STENO_MODEL", "small")
    assert (load_settings().port, load_settings().model) == (9000, "small")
    assert load_settings(port=9001, model=None).port == 9001
    assert load_settings(port=9001, model=None).model == "small"


@pytest.mark.parametrize("value", ["faster", "faster-whisper", "faster_whisper"])
@pytest.mark.parametrize("name", ["STENO_ENGINE", "STT_BACKEND"])
def test_the_engine_has_aliases(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert load_settings().engine == "faster_whisper"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STENO_PORT", "0"),
        ("STENO_PORT", "70000"),
        ("STENO_PORT", "http"),
        ("STENO_DEVICE", "tpu"),
        ("STENO_WORKERS", "-1"),
        ("STENO_LEASE_S", "0"),
        ("STENO_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadParameter, match=name):
        load_settings()
