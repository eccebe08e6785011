"""What a worker adds to traces: how long decodes waited and took, and when it was published what they say."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.events import Event, Partial, SpeechStart
from shared.events import Final as FinalEvent
from shared.traces import Attributes, Place, Traces, now_ns, session_place, utterance_place
from worker.core.decode import DecodeResult, Kind

_NS: Final = 1_000_000_000
_UNSAID_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A decode, and when its result came."""

    kind: Kind
    result: DecodeResult
    ended_ns: int


class WorkerTrace:
    """One worker's part in a session that is traced."""

    def __init__(self, traces: Traces, seed: str, session: str) -> None:
        """Raises `ValueError` for what is no seed."""
        self._traces = traces
        self._seed = seed
        self._place = session_place(seed)
        self._session = session
        self._asked: dict[int, Kind] = {}
        self._decoded: deque[_Decoded] = deque(maxlen=_UNSAID_MAX)
        """Decodes of whose text nothing was said yet: a partial's and an early final's. Filters may take
        text after text."""
        self._began_ns: dict[int, int] = {}
        """When the first audio of the open utterances came."""

    def asked(self, ticket: int, kind: Kind) -> None:
        """The session asked for a decode."""
        self._asked[ticket] = kind

    def answered(self, ticket: int, result: DecodeResult | None) -> None:
        """It has its answer; None when the decode was withdrawn."""
        kind = self._asked.pop(ticket, Kind.PARTIAL)
        if result is not None:
            self._decoded.append(_Decoded(kind, result, now_ns()))

    def published(self, events: Sequence[Event], began_ns: int, age_s: Callable[[float], float]) -> None:
        """Events were published, which began then. `age_s` says how long ago the audio up to a second of the
        session came."""
        ended_ns = now_ns()
        for event in events:
            if not isinstance(event, SpeechStart | Partial | FinalEvent):
                continue
            place = utterance_place(self._seed, event.utterance)
            about = self._about(event.utterance)
            if isinstance(event, SpeechStart):
                self._began_ns[event.utterance] = began_ns - round(age_s(event.start) * _NS)
            else:
                for decoded in self._decoded:
                    trace_decode(self._traces, place, decoded.kind, decoded.result, decoded.ended_ns, about)
                self._decoded.clear()
            self._traces.span("publish", place, began_ns, ended_ns, about | {"steno.event": event.type})
            if isinstance(event, FinalEvent):
                # A worker that took the session over has not heard the beginning.
                start_ns = self._began_ns.pop(event.utterance, began_ns)
                audio = {"steno.audio_s": round(event.end - event.start, 3)}
                self._traces.root("utterance", place, start_ns, ended_ns, about | audio, part_of=self._place)

    def _about(self, utterance: int) -> dict[str, str | int]:
        return {"steno.session": self._session, "steno.utterance": utterance}


def trace_decode(
    traces: Traces, place: Place, kind: Kind, result: DecodeResult, ended_ns: int, about: Attributes
) -> None:
    """Spans for the wait of a decode, and for the batch that it was in: encoder, then decoder."""
    run = result.batch
    if run is None:
        return
    began_ns = ended_ns - round(run.took_s * _NS)
    encoded_ns = began_ns + round(min(run.encode_s, run.took_s) * _NS)
    named = {**about, "steno.kind": kind.name.lower()}
    work = {**named, "steno.batch": run.size, "steno.window_s": result.window_s, "steno.steps": result.steps}
    traces.span("wait", place, began_ns - round(result.waited_s * _NS), began_ns, named)
    traces.span("encode", place, began_ns, encoded_ns, work)
    traces.span("decode", place, encoded_ns, ended_ns, work)
