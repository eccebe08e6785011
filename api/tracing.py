"""What the edge adds to the traces of a session: when audio came and was appended, when events were sent."""

from collections import deque
from typing import Final

from shared.audio.pcm import to_samples
from shared.events import Event
from shared.events import Final as FinalEvent
from shared.traces import Traces, now_ns, session_place, utterance_place

_APPENDS_MAX: Final = 2048
"""Appends that are remembered for the finals to come: over three minutes of 100 ms chunks, 40 s of 20 ms."""


class EdgeTrace:
    """One connection's part in a session that is traced."""

    def __init__(self, traces: Traces, seed: str, session: str, surface: str) -> None:
        """Raises `ValueError` for what is no seed."""
        self._traces = traces
        self._seed = seed
        self._place = session_place(seed)
        self._session = session
        self._surface = surface
        self._began_ns = now_ns()
        self._appends: deque[tuple[int, int, int]] = deque(maxlen=_APPENDS_MAX)
        """End sample, and from when to when."""
        self._heard: dict[int, int] = {}
        """When the events that are still to be sent came, by number."""

    def appended(self, end_sample: int, began_ns: int) -> None:
        """Audio up to that sample is in Redis."""
        self._appends.append((end_sample, began_ns, now_ns()))

    def heard(self, seq: int) -> None:
        """An event came from Redis."""
        self._heard[seq] = now_ns()

    def sent(self, seq: int, event: Event) -> None:
        """An event was written to the client's socket. Partials that were replaced are forgotten."""
        began_ns = self._heard.get(seq, now_ns())
        for earlier in [number for number in self._heard if number <= seq]:
            del self._heard[earlier]
        utterance: int | None = getattr(event, "utterance", None)
        if utterance is None:
            return
        place = utterance_place(self._seed, utterance)
        about = {"steno.session": self._session, "steno.utterance": utterance}
        if isinstance(event, FinalEvent):
            end = to_samples(event.end)
            for end_sample, append_ns, appended_ns in self._appends:
                if end_sample >= end:
                    self._traces.span("append", place, append_ns, appended_ns, about)
                    break
        self._traces.span("send", place, began_ns, now_ns(), about | {"steno.event": event.type})

    def ended(self, *, is_first: bool) -> None:
        """The connection is over; the one that opened the session is the root of the session's own trace."""
        about = {"steno.session": self._session, "steno.surface": self._surface}
        if is_first:
            self._traces.root("connection", self._place, self._began_ns, now_ns(), about)
        else:
            self._traces.span("connection", self._place, self._began_ns, now_ns(), about)
