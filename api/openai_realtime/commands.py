"""What a client may say on `/v1/realtime`, read from its JSON. Pure."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from shared.errors import BadMessage

INVALID: Final = "invalid_value"
_ELSEWHERE: Final = ("response.", "conversation.", "output_audio_buffer.", "session.")
"""Events of conversations with a model, which answers with speech."""


class Refused(BadMessage):
    """An event that is answered with an `error` event; the connection goes on. `reason` and `param` are the
    `code` and `param` of that."""

    def __init__(self, message: str, *, reason: str = INVALID, param: str = "", event_id: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.param = param
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Update:
    """`session.update`, or `transcription_session.update`: then `is_beta`."""

    session: Mapping[str, Any]
    is_beta: bool


@dataclass(frozen=True, slots=True)
class Append:
    """`input_audio_buffer.append`."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """`input_audio_buffer.commit`."""


@dataclass(frozen=True, slots=True)
class Clear:
    """`input_audio_buffer.clear`."""


Command = Update | Append | Commit | Clear


def parse(message: str | bytes) -> tuple[Command, str]:
    """The command, and the client's `event_id`, empty if it gave none. Raises `Refused`, with that."""
    event = _event(message)
    given = event.get("event_id")
    event_id = clean(given) if isinstance(given, str) else ""
    try:
        return _command(event), event_id
    except Refused as refused:
        refused.event_id = event_id
        raise


def clean(text: str) -> str:
    """Text that can be written as UTF-8: JSON can hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def _event(message: str | bytes) -> Mapping[str, Any]:
    if isinstance(message, bytes):
        raise Refused("events are JSON text messages; audio goes into input_audio_buffer.append as base64")
    try:
        event: Any = json.loads(message)
    except (ValueError, RecursionError):
        raise Refused("the message is not valid JSON", reason="invalid_json") from None
    if not isinstance(event, dict):
        raise Refused("the message is not a JSON object", reason="invalid_json")
    return cast(dict[str, Any], event)


def _command(event: Mapping[str, Any]) -> Command:
    kind = event.get("type")
    if not isinstance(kind, str):
        raise Refused("the event has no type", reason="missing_required_parameter", param="type")
    if kind in ("session.update", "transcription_session.update"):
        return Update(_session(event), is_beta=kind.startswith("transcription"))
    if kind == "input_audio_buffer.append":
        return Append(_audio(event))
    if kind == "input_audio_buffer.commit":
        return Commit()
    if kind == "input_audio_buffer.clear":
        return Clear()
    if kind.startswith(_ELSEWHERE):
        raise Refused(f"{clean(kind)} is for conversations; this server transcribes only", param="type")
    raise Refused(f"unknown event type {clean(kind[:100])!r}", param="type")


def _session(event: Mapping[str, Any]) -> Mapping[str, Any]:
    session = event.get("session")
    if not isinstance(session, dict):
        raise Refused("session must be an object", reason="missing_required_parameter", param="session")
    return cast(dict[str, Any], session)


def _audio(event: Mapping[str, Any]) -> bytes:
    audio = event.get("audio")
    if not isinstance(audio, str):
        raise Refused("audio must be a base64 string", reason="missing_required_parameter", param="audio")
    try:
        return base64.b64decode(audio, validate=True)
    except (ValueError, binascii.Error):
        raise Refused("audio is not valid base64", param="audio") from None
