"""The settings file of dictation, in TOML. `docs/dictation.md` shows it."""

import contextlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client.dictation.core.chords import Chord, parse_chord
from client.dictation.core.target import Insert, Newline, Rule, Rules
from client.dictation.core.wishes import Wishes
from client.dictation.core.writing import Writing, hotwords
from client.options import DEFAULT_URL, StreamOptions
from shared.errors import BadParameter

Seconds = Annotated[float, Field(gt=0, le=24 * 3600)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HotkeySettings(_Table):
    """Keys that work everywhere; empty ones are not taken."""

    toggle: str = "ctrl+alt+d"
    """Starts dictation, and ends it."""
    hold: str = ""
    """Dictates while it is held; tapped, until it is pressed again."""
    undo: str = ""
    """Takes the last utterance back."""

    def chords(self) -> dict[str, Chord]:
        """The keys by what they do. Raises `BadParameter`."""
        asked = {"toggle": self.toggle, "hold": self.hold, "undo": self.undo}
        chords = {name: parse_chord(text) for name, text in asked.items() if text}
        if len(set(chords.values())) < len(chords):
            raise BadParameter("hotkey: two of them are the same keys")
        return chords


class AppSettings(_Table):
    """What is done in some apps."""

    match: str
    """Pattern for the app's name, as `steno dictate status` shows it: `*slack*`."""
    insert: Insert = "type"
    newline: Newline = "return"


class Settings(_Table):
    """All of the file."""

    url: str = DEFAULT_URL
    api_key_file: str = ""
    """File with the API key; else it is what `STENO_API_KEY` holds."""
    language: str = "auto"
    model: str = ""
    prompt: str = ""
    endpointing_ms: int | None = None
    profanity: Literal["keep", "mask"] = "keep"
    numerals: Literal["auto", "digits", "spoken"] = "auto"
    vocabulary: tuple[str, ...] = ()
    """Words that are likely to be spoken."""
    replacements: dict[Annotated[str, Field(min_length=1)], str] = {}
    """What is heard, and what is written for it."""
    commands: bool = False
    """Whether spoken commands are obeyed: new line, scratch that, …"""
    type_last: bool = True
    """Whether what was said before dictation was ended is still typed."""
    trailing_space: bool = False
    """Whether a space is typed behind each utterance, instead of before the next."""
    hold_s: Annotated[float, Field(ge=0, le=600)] = 30.0
    """How long a text waits while a password field has the keyboard."""
    stay: bool = False
    """Whether text is kept back when another window came to the front while it was spoken."""
    session_s_max: Seconds = 900.0
    """Dictation ends by itself after this time."""
    silence_s_max: Seconds = 60.0
    """… and when nothing was said for so long."""
    microphone: str = ""
    """A part of its name; empty for the system's default."""
    capture: Literal["system", "portaudio"] = "system"
    """On macOS: who opens the microphone. PortAudio may give the first audio sooner."""
    transport: Literal["websockets", "urlsession"] = "websockets"
    """On macOS: how the server is reached. `urlsession` uses the system's proxies and certificates."""
    sounds: bool = True
    newline: Newline = "return"
    """Which key a new line is, in apps without a rule."""
    hotkey: HotkeySettings = HotkeySettings()
    apps: tuple[AppSettings, ...] = ()

    def wishes(self) -> Wishes:
        """What of it the core decides."""
        rules = [Rule(match=app.match, insert=app.insert, newline=app.newline) for app in self.apps]
        return Wishes(
            type_last=self.type_last,
            trailing_space=self.trailing_space,
            stay=self.stay,
            hold_s=self.hold_s,
            session_s_max=self.session_s_max,
            silence_s_max=self.silence_s_max,
            writing=Writing(commands=self.commands, replacements=self.replacements),
            rules=Rules((*rules, Rule(match="*", newline=self.newline))),
        )

    def options(self) -> StreamOptions:
        """What the server is asked for. Raises `BadParameter`."""
        return StreamOptions(
            language=self.language,
            model=self.model,
            prompt=self.prompt,
            hotwords=hotwords(self.vocabulary),
            endpointing_ms=self.endpointing_ms,
            profanity=self.profanity,
            numerals=self.numerals,
        )

    def api_key(self) -> str | None:
        """The key in `api_key_file`; None where there is none. Raises `BadParameter`."""
        if not self.api_key_file:
            return None
        try:
            return Path(self.api_key_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise BadParameter(f"api_key_file: {self.api_key_file} can't be read") from None


def settings_path() -> Path:
    """Where the file is: `STENO_DICTATION_SETTINGS`, or the system's place for such files."""
    if given := os.environ.get("STENO_DICTATION_SETTINGS"):
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Steno" / "dictation.toml"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "steno" / "dictation.toml"


def edit(path: Path) -> None:
    """Open the file in the user's editor, made first where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "# What can stand here: docs/dictation.md. It is read when dictation starts.\n", encoding="utf-8"
        )
    with contextlib.suppress(OSError):  # a desktop without such a program
        subprocess.Popen(["open" if sys.platform == "darwin" else "xdg-open", str(path)])


def load(path: Path) -> Settings:
    """The settings in a file; the defaults where there is none. Raises `BadParameter`, which names what is
    wrong but not its value: replacements and vocabulary are the user's own words."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError):
        raise BadParameter(f"{path} can't be read") from None
    try:
        settings = Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadParameter(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise BadParameter(f"{path}: {place}: {first['msg']}") from None
    settings.hotkey.chords()
    settings.options()
    return settings
