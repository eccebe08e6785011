"""What a live client says in text messages. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Final, cast

_ECHO_CHARS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The client is there; nothing else."""


@dataclass(frozen=True, slots=True)
class Finalize:
    """Say what is open now, of one channel or of all."""

    channel: int | None = None


@dataclass(frozen=True, slots=True)
class CloseStream:
    """No more audio: say all, then close."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Change a stream that runs; None: leave it."""

    keyterms: tuple[str, ...] | None = None
    features: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No message of the protocol."""

    text: str
    reason: str


Message = KeepAlive | Finalize | CloseStream | Configure | Unreadable


def read(text: str) -> Message:
    """The message in a text frame."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return _unreadable(text, "a text message is a JSON object; audio goes in binary messages")
    document = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    match document.get("type"):
        case "KeepAlive":
            return KeepAlive()
        case "Finalize":
            return Finalize(_channel(document.get("channel")))
        case "CloseStream":
            return CloseStream()
        case "Configure":
            return _configure(document) or _unreadable(
                text, "Configure has keyterms, a list of strings, and features, an object of booleans"
            )
        case _:
            return _unreadable(text, "type must be KeepAlive, Finalize, CloseStream or Configure")


def _channel(value: object) -> int | None:
    """The number in `1` or `[1, 2]`."""
    if isinstance(value, list) and value:
        value = cast(list[object], value)[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _configure(document: dict[str, Any]) -> Configure | None:
    keyterms, features = document.get("keyterms"), document.get("features")
    if keyterms is not None and not _is_texts(keyterms):
        return None
    if features is not None and not _is_switches(features):
        return None
    return Configure(
        None if keyterms is None else tuple(keyterms),
        tuple(cast(dict[str, bool], features or {}).items()),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast(list[object], value))


def _is_switches(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(item, bool) for item in cast(dict[str, object], value).values())


def _unreadable(text: str, reason: str) -> Unreadable:
    return Unreadable(text[:_ECHO_CHARS_MAX], reason)
