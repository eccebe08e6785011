"""What a client asks for, and the addresses that say it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, cast
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from shared.errors import BadParameter
from shared.jobs import SpeechOptions

DEFAULT_URL: Final = "ws://127.0.0.1:8000"
"""Where `steno up` listens."""

_WEBSOCKET: Final[Mapping[str, str]] = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_HTTP: Final[Mapping[str, str]] = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_SAMPLE_BYTES: Final[Mapping[str, int]] = {"pcm16": 2, "float32": 4, "mulaw": 1, "alaw": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions(SpeechOptions):
    """What the audio of a live session is, and how it is to be written down. Raises `BadParameter` for
    what no server knows; the server checks the rest."""

    sample_rate: int = 16_000
    """Samples a second, 8000 to 96000."""
    encoding: Literal["pcm16", "float32", "mulaw", "alaw"] = "pcm16"
    """Samples are little-endian."""
    channels: int = 1
    """Interleaved; the server mixes them."""
    partials: bool = True
    """Whether text is wanted before its utterance has ended."""
    languages: tuple[str, ...] = ()
    """With `language="auto"`: the codes to choose among; empty for all."""
    endpointing_ms: int | None = None
    """Silence that ends an utterance. None, here and below: as the server does it."""
    max_utterance_s: float | None = None
    """Endless speech is cut there."""
    partial_interval_ms: int | None = None
    """Least new audio for which a partial is decoded."""
    temperature: float = 0.0
    """Of a final's first attempt; 0 is the likeliest text."""
    vad: float | None = None
    """How readily audio is taken for speech, 0 to 1."""
    profanity: Literal["keep", "mask"] = "keep"
    numerals: Literal["auto", "digits", "spoken"] = "auto"
    """How numbers are written: as the model does it, as digits, or as they are spoken."""
    redact: tuple[str, ...] = ()
    """What is left out of the text: `email`, `phone`, `card`."""

    @property
    def bytes_per_s(self) -> int:
        """Bytes of a second of audio."""
        return self.sample_rate * self.channels * _SAMPLE_BYTES[self.encoding]


def to_query(options: SpeechOptions) -> dict[str, str]:
    """The options as query or form values; those at their defaults are left to the server."""
    values = ((f.name, getattr(options, f.name), f.default) for f in fields(options))
    return {name: _text(value) for name, value, default in values if value != default}


def stream_address(url: str, options: StreamOptions, *, acks: bool = False) -> str:
    """The WebSocket address of a live session. `url` is the server's, `ws(s)://` or `http(s)://`, with or
    without the path of the stream. Raises `BadParameter`."""
    return _stream_address(url, to_query(options) | ({"acks": "true"} if acks else {}))


def resume_address(url: str, session: str, token: str, after: int) -> str:
    """The address that resumes a session behind its event `after`."""
    return _stream_address(url, {"session": session, "token": token, "after": str(after), "acks": "true"})


def _stream_address(url: str, asked: Mapping[str, str]) -> str:
    parts = _split(url)
    path = parts.path.rstrip("/")
    if not path.endswith("/stream"):
        path += "/v1/stream"
    query = "&".join(part for part in (parts.query, urlencode(asked)) if part)
    return urlunsplit((_WEBSOCKET[parts.scheme], parts.netloc, path, query, ""))


def http_address(url: str) -> str:
    """The HTTP address of the server behind `url`, without a slash at its end. Raises `BadParameter`."""
    parts = _split(url)
    path = parts.path.rstrip("/").removesuffix("/stream").removesuffix("/v1")
    return urlunsplit((_HTTP[parts.scheme], parts.netloc, path, "", ""))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _HTTP and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        valid, parts = False, urlsplit("")
    if not valid:
        raise BadParameter(f"{url!r} is not an address; give one like {DEFAULT_URL}")
    return parts


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(cast(tuple[str, ...], value))
    return str(value).lower() if isinstance(value, bool) else str(value)
