"""The settings file of dictation."""

from pathlib import Path

import pytest

from client.dictation.core.target import Target
from client.dictation.settings import Settings, edit, load, settings_path
from shared.errors import BadParameter

WHOLE = """
url = "wss://steno.example"
language = "de"
vocabulary = ["Valkey", "CTranslate2"]
commands = true
newline = "shift-return"
[replacements]
"steno" = "Steno"
[hotkey]
toggle = "super+space"
hold = "f9"
[[apps]]
match = "*keepass*"
insert = "never"
"""


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "dictation.toml"
    path.write_text(WHOLE)
    settings = load(path)
    assert settings.options().hotwords == "Valkey, CTranslate2"
    assert settings.hotkey.chords()["hold"].key == "f9"
    rules = settings.wishes().rules
    assert rules.of(Target("KeePassXC")).insert == "never"
    assert rules.of(Target("kate")).newline == "shift-return"


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "none") == Settings()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("url = ", "not TOML"),
        ("urls = 'x'", "urls"),
        ("silence_s_max = 0", "silence_s_max"),
        ("[replacements]\nsecretword = 7", "replacements.secretword"),
        ("vocabulary = ['SECRETVALUE', 5]", "vocabulary.1"),
        ("language = 'SECRETVALUE'", "language"),
        ("[hotkey]\ntoggle = 'd'", "takes? a key that types"),
        ("[hotkey]\ntoggle = 'f9'\nhold = 'f9'", "same keys"),
        ("[[apps]]\nmatch = 'x'\ninsert = 'shout'", "apps.0.insert"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "dictation.toml"
    path.write_text(text)
    with pytest.raises(BadParameter, match=what):
        load(path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "dictation.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadParameter, match="can't be read"):
        load(path)


def test_the_key_comes_from_its_file(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("abc\n")
    assert Settings(api_key_file=str(key)).api_key() == "abc"
    assert Settings().api_key() is None
    with pytest.raises(BadParameter, match="api_key_file"):
        Settings(api_key_file=str(tmp_path / "none")).api_key()


def test_the_menu_opens_a_file_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no program to open it with
    path = tmp_path / "new" / "dictation.toml"
    edit(path)
    assert load(path) == Settings()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STENO_DICTATION_SETTINGS", str(tmp_path / "x"))
    assert settings_path() == tmp_path / "x"
    monkeypatch.delenv("STENO_DICTATION_SETTINGS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_path().is_relative_to(tmp_path) or "Library" in str(settings_path())
