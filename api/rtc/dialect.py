"""The native protocol over a data channel as a dialect: events are left to the wire, which answers an HTTP
request with the first of them. Pure."""

from collections.abc import Sequence
from typing import Final

from api.dialect import Abandon, Act, Close, Open, Resume, Send
from api.native import Frame, NativeDialect
from shared.events import Event
from shared.redis.sessions import Numbered

NEVER_CAME: Final = None
"""What is received of a client that did not connect in time."""
_UNREACHED: Final = 1006

Heard = Frame | None


class RtcDialect:
    """One peer, and the one session that it opens or resumes."""

    surface = "rtc"
    idle_s = None

    def __init__(self, opening: Open | Resume) -> None:
        self._opening = opening
        self._native = NativeDialect(opening)

    def begin(self) -> Sequence[Act[Numbered]]:
        """Open the session, or resume it."""
        return [self._opening]

    def received(self, message: Heard) -> Sequence[Act[Numbered]]:
        """Audio, a wish, or that nobody came: then nobody knows the new session's token and can come back for
        it. One that was to be resumed waits on."""
        if message is not None:
            return [act for act in self._native.received(message) if not isinstance(act, Send)]
        close = Close(_UNREACHED, "never connected")
        return [Abandon(self._opening.key), close] if isinstance(self._opening, Open) else [close]

    def said(self, key: int, seq: int, event: Event) -> Sequence[Act[Numbered]]:
        """The event as it is, with what the native protocol would do."""
        return [
            Send((seq, event)) if isinstance(act, Send) else act for act in self._native.said(key, seq, event)
        ]

    def idle(self) -> Sequence[Act[Numbered]]:
        """Clients may be silent."""
        return []
