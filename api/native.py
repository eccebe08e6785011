"""The native live protocol as a dialect: nearly nothing, because its events are the sessions' own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from api.dialect import Act, Audio, Close, End, Fail, Finalize, Open, Resume, Send
from api.faults import CLOSE
from shared.codec import event_to_map
from shared.errors import BadMessage, MustResume, TakenOver
from shared.events import Closed, Error, Event

CONTROLS: Final = ("finalize", "end", "keepalive")
ID_CHARS_MAX: Final = 64
_CLOSE_OK: Final = 1000
_CLOSE_INTERNAL: Final = 1011
_ELSEWHERE: Final = (TakenOver.code, MustResume.code)
"""Errors of the connection alone: the session goes on, on another one, which is told in no message."""

Frame = str | bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """A text message."""

    kind: str
    id: str = ""


class NativeDialect:
    """One connection, and the one session that it opens or resumes."""

    surface = "native"
    idle_s = None

    def __init__(self, opening: Open | Resume) -> None:
        self._opening = opening

    def begin(self) -> Sequence[Act[Frame]]:
        """Open the session, or resume it."""
        return [self._opening]

    def received(self, message: Frame) -> Sequence[Act[Frame]]:
        """Audio, or a wish."""
        key = self._opening.key
        if isinstance(message, bytes):
            return [Audio(key, message)]
        try:
            wish = parse_wish(message)
        except BadMessage as error:
            return [Fail(key, error)]
        if wish.kind == "finalize":
            return [Finalize(key, wish.id)]
        return [End(key)] if wish.kind == "end" else []

    def said(self, key: int, seq: int, event: Event) -> Sequence[Act[Frame]]:
        """The event as it is; behind the last one the connection is closed with the code that belongs to
        it."""
        if not isinstance(event, Closed | Error):
            return [Send(to_text(seq, event))]
        if isinstance(event, Closed):
            return [Send(to_text(seq, event)), Close(_CLOSE_OK)]
        close = Close(CLOSE.get(event.code, _CLOSE_INTERNAL), event.code)
        return [close] if event.code in _ELSEWHERE else [Send(to_text(seq, event)), close]

    def idle(self) -> Sequence[Act[Frame]]:
        """Clients may be silent."""
        return []


def to_text(seq: int, event: Event) -> str:
    """A message as it is on the wire."""
    message = event_to_map(event)
    return json.dumps({"type": message.pop("type"), "seq": seq, **message}, ensure_ascii=False)


def parse_wish(text: str) -> Wish:
    """The text message of a client. Raises `BadMessage`."""
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("text messages are JSON; audio goes in binary messages") from None
    fields = cast(dict[str, Any], message) if isinstance(message, dict) else {}
    kind, id = fields.get("type"), fields.get("id", "")
    if kind not in CONTROLS:
        raise BadMessage(f"unknown message; a text message is a JSON object with type {', '.join(CONTROLS)}")
    if not isinstance(id, str) or len(id) > ID_CHARS_MAX or not id.isprintable():
        raise BadMessage(f"id must be a string of at most {ID_CHARS_MAX} printable characters")
    return Wish(str(kind), id)
