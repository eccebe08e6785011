"""Where an application's settings come from, and what is said of wrong ones."""

import pytest

from assistant import STTEngine
from assistant.settings import BACKENDS, load_assistant_settings
from shared.errors import BadParameter


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENGINE", "MODEL", "DEVICE", "LANGUAGE", "CHUNK_S", "URL", "API_KEY"):
        monkeypatch.delenv(f"STENO_{name}", raising=False)
        monkeypatch.delenv(f"STT_{name}", raising=False)
    monkeypatch.delenv("STT_BACKEND", raising=False)


def test_one_variable_says_what_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_assistant_settings().backend == "faster"
    for name in BACKENDS:
        monkeypatch.setenv("STT_BACKEND", name)
        assert load_assistant_settings().backend == name
    monkeypatch.setenv("STT_BACKEND", "faster-whisper")
    assert load_assistant_settings().backend == "faster"


def test_the_services_own_variables_win_over_their_short_names_and_code_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STT_MODEL", "tiny")
    assert load_assistant_settings().model == "tiny"
    monkeypatch.setenv("STENO_MODEL", "small")
    assert load_assistant_settings().model == "small"
    assert load_assistant_settings(model="base.en").model == "base.en"


def test_variables_of_other_programs_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BACKEND", "MODEL", "URL", "LANGUAGE"):
        monkeypatch.setenv(name, "magic")
    assert load_assistant_settings() == load_assistant_settings(backend="faster")


def test_all_that_is_wrong_is_said_at_once_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_BACKEND", "magic")
    monkeypatch.setenv("STT_LANGUAGE", "klingon")
    with pytest.raises(BadParameter) as caught:
        STTEngine(chunk_s=-1)
    said = caught.value.message
    assert "STENO_ENGINE or STT_BACKEND: 'magic' is none of faster, huggingface, remote, scripted" in said
    assert "STENO_LANGUAGE or STT_LANGUAGE: language must be" in said
    assert "chunk_s: " in said


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(load_assistant_settings(api_key="secret"))
