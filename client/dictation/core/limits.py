"""When a dictation ends by itself."""

from client.dictation.core.view import State
from client.dictation.core.wishes import Wishes


class Limits:
    """Its clocks: since when it is on, when something was last said, how long the server is waited for."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._on_since = self._active_at = self._server_by = 0.0

    def begin(self, now: float) -> None:
        """It was turned on."""
        self._on_since = now

    def speech(self, now: float) -> None:
        """Something is being said, or could not be heard until now."""
        self._active_at = now

    def connect(self, now: float) -> None:
        """A server is to be reached."""
        self._server_by = now + self._wishes.reconnect_s

    def drain(self, now: float) -> None:
        """The last final is to come."""
        self._server_by = now + self._wishes.drain_s

    def answered(self, now: float) -> None:
        """Nothing more is to come."""
        self._server_by = now

    def is_server_late(self, now: float) -> bool:
        """Whether the server was waited for long enough."""
        return now >= self._server_by

    def wake_at(self, state: State, *, is_lost: bool, awaits_server: bool) -> list[float]:
        """When to look again, in this state. `is_lost`: without a connection nobody can be heard."""
        times: list[float] = []
        if state == State.CONNECTING or (state == State.DRAINING and awaits_server):
            times.append(self._server_by)
        if state in (State.CONNECTING, State.ON):
            times.append(self._session_ends())
        if state == State.ON and not is_lost:
            times.append(self._silence_ends())
        return times

    def why_off(self, state: State, now: float, *, is_lost: bool) -> str:
        """Why it is to be turned off now; empty while it is not."""
        if state in (State.CONNECTING, State.ON) and now >= self._session_ends():
            return f"Dictation ended by itself after {self._wishes.session_s_max / 60:g} minutes."
        if state == State.ON and not is_lost and now >= self._silence_ends():
            return f"Dictation ended by itself: nothing was said for {self._wishes.silence_s_max:g} s."
        return ""

    def _session_ends(self) -> float:
        return self._on_since + self._wishes.session_s_max

    def _silence_ends(self) -> float:
        return self._active_at + self._wishes.silence_s_max
