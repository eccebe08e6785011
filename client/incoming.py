"""What the server says in a live session, read. Pure: no socket, no event loop."""

import json
from dataclasses import dataclass
from typing import Any, Final, cast

from client.errors import BadReply, ConnectionLost
from shared.codec import CodecError, event_from_map
from shared.errors import BadRequest, NoCapacity, StenoError, TakenOver, TooLarge
from shared.events import EVENT_TYPES, Event, Partial
from shared.events import Final as FinalEvent

_KNOWN: Final = frozenset(cls.type for cls in EVENT_TYPES)
_BY_CLOSE_CODE: Final[dict[int, type[StenoError]]] = {
    1008: BadRequest,
    1009: TooLarge,
    1013: NoCapacity,
    4001: TakenOver,
}


@dataclass(frozen=True, slots=True)
class Received:
    """An event with its number in the session."""

    seq: int
    event: Event


def parse(message: str | bytes) -> Received | None:
    """The event in a message; None for a kind of message that this client does not know yet. Raises
    `BadReply`."""
    try:
        data: object = json.loads(message)
        if not isinstance(data, dict):
            raise BadReply("a message from the server is not an object; is this a Steno server?")
        fields = cast(dict[str, Any], data)
        seq = fields.get("seq")
        if not isinstance(seq, int):
            raise BadReply("a message from the server has no number; is this a Steno server?")
        return Received(seq, event_from_map(fields)) if fields.get("type") in _KNOWN else None
    except (CodecError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise BadReply("a message from the server can't be read; is this a Steno server?") from None


def closed_early(code: int, reason: str) -> StenoError:
    """The error for a connection that ended with neither `closed` nor `error` before it."""
    because = f"{code} {reason}".rstrip()
    if cls := _BY_CLOSE_CODE.get(code):
        return cls(f"the server closed the connection ({because})")
    return ConnectionLost(f"the connection ended before the session did ({because})")


@dataclass(frozen=True, slots=True)
class LiveTranscript:
    """The text of a session so far. Each event gives a new one."""

    text: str = ""
    """All finals, and the open utterance as last heard."""
    committed: int = 0
    """Length of the prefix of `text` that will not change any more."""
    finals: str = ""
    """The finals alone."""

    def after(self, event: Event) -> "LiveTranscript":
        """The transcript once `event` was heard; itself for events without text."""
        if not isinstance(event, Partial | FinalEvent):
            return self
        # Onto the finals, not onto `text`: a partial in a script without spaces may stand where the
        # separator of its final goes.
        text = self.finals.ljust(event.offset)[: event.offset] + event.text
        committed = min(event.offset + event.committed, len(text))
        return LiveTranscript(text, committed, text if event.final else self.finals)
