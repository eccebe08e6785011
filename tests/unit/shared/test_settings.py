"""Settings from the environment, with errors that name the variable; and the page that lists them."""

from pathlib import Path

import pytest

from shared.errors import BadParameter
from shared.secret_files import FROM_FILES, file_variable_of, variable_of
from shared.settings import (
    Settings,
    check_open,
    check_redis_is_given,
    is_loopback,
    load_settings,
)
from shared.settings_doc import SECTIONS, render

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_what_the_settings_say() -> None:
    assert DOCUMENT.read_text() == render(), "run: python -m shared.settings_doc > docs/settings.md"
    assert set(SECTIONS) <= set(Settings.model_fields)


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


def test_everything_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [("PORT", "http"), ("WORKERS", "-1"), ("TLS_CERT", "cert.pem"), ("HOST", "0.0.0.0")]:
        monkeypatch.setenv(f"STENO_{name}", value)
    with pytest.raises(BadParameter) as wrong:
        load_settings(check_redis_is_given, check_open)
    first, *lines = wrong.value.message.splitlines()
    assert first == "5 settings are wrong:"
    names = ["STENO_PORT:", "STENO_WORKERS:", "STENO_TLS_CERT", "STENO_REDIS_URL", "STENO_HOST"]
    assert [line.split()[0] for line in lines] == names


@pytest.mark.parametrize("name", FROM_FILES)
def test_a_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text("  first-key,\n second-key \n")
    monkeypatch.setenv(file_variable_of(name), str(file))
    assert getattr(load_settings(), name) == "first-key,\n second-key"
    assert getattr(load_settings(**{name: "flag"}), name) == "flag"
    assert "first-key" not in repr(load_settings())
    monkeypatch.setenv(variable_of(name), "other")
    with pytest.raises(BadParameter, match="both set"):
        load_settings()


@pytest.mark.parametrize(
    ("data", "what"),
    [(None, "can't be read"), (b"", "empty"), (b" \n", "empty"), (b"\xff\xfe", "UTF-8"),
     (b"x" * 1_048_577, "larger")],
)  # fmt: skip
def test_a_file_that_holds_no_secret_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes | None, what: str
) -> None:
    file = tmp_path / "secret"
    if data is not None:
        file.write_bytes(data)
    monkeypatch.setenv("STENO_API_KEYS_FILE", str(file))
    with pytest.raises(BadParameter, match=f"STENO_API_KEYS_FILE: .*{what}"):
        load_settings()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("", False), ("10.0.0.1", False), ("steno.example", False)],
)  # fmt: skip
def test_an_edge_that_others_reach_needs_keys_or_a_word(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
    for allowed in (Settings(host=host, api_keys="a-key-123456"), Settings(host=host, open=True)):
        check_open(allowed)
    if loopback:
        check_open(Settings(host=host))
    else:
        with pytest.raises(BadParameter, match="STENO_OPEN"):
            check_open(Settings(host=host))
