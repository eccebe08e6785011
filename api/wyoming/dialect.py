"""Wyoming as a dialect: each utterance that a client sends is a session of its own.

    client: transcribe, audio-start, audio-chunk…, audio-stop
    server: transcript-start, transcript-chunk…, transcript, transcript-stop

A client waits for `transcript` whatever happens and does not act on `error`, so there is one for every
utterance, empty in silence and after errors. Transcripts come in the order of their utterances.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from api.dialect import Act, Audio, Close, End, Open, Send
from api.wyoming.asked import audio_format, hotwords_of, language_of
from api.wyoming.catalog import Catalog
from api.wyoming.framing import WyomingEvent
from api.wyoming.turn import Acts, Turn
from shared.audio.convert import AudioFormat, StreamConverter
from shared.errors import StenoError
from shared.events import Closed, Error, Event, Partial, SessionConfig
from shared.events import Final as FinalEvent

TURNS_MAX: Final = 4
"""Utterances of one client that may wait for their transcripts."""
IDLE_S: Final = 300.0
"""How long a connection without an utterance may be silent."""
STALLED_S: Final = 30.0
"""How long an utterance may go on without audio: the client is gone, and the network did not say so."""


class WyomingDialect:
    """One connection."""

    surface = "wyoming"

    def __init__(self, catalog: Catalog, *, tenant: str = "") -> None:
        self._catalog = catalog
        self._tenant = tenant
        self._config = SessionConfig(tenant=tenant)
        self._keys = 0
        self._open: Turn | None = None
        """The utterance whose audio is coming."""
        self._turns: deque[Turn] = deque()
        """Those whose transcripts are due, oldest first; the one whose audio is coming is the last."""
        self._format: AudioFormat | None = None
        self._converter: StreamConverter | None = None
        self._is_refused = False
        """Whether the rest of this utterance's audio is ignored: its transcript was said with an error."""
        self._takers: Mapping[str, Callable[[WyomingEvent], Acts]] = {
            "describe": self._describe,
            "ping": self._ping,
            "transcribe": self._transcribe,
            "audio-start": self._start,
            "audio-chunk": self._chunk,
            "audio-stop": self._stop,
        }

    @property
    def idle_s(self) -> float:
        """Shorter while audio is due."""
        return STALLED_S if self._open else IDLE_S

    def begin(self) -> Sequence[Act[WyomingEvent]]:
        """A server says nothing by itself."""
        return []

    def received(self, message: WyomingEvent) -> Sequence[Act[WyomingEvent]]:
        """Events of other kinds are for other servers: ignored."""
        taker = self._takers.get(message.type)
        return taker(message) if taker else []

    def said(self, key: int, seq: int, event: Event) -> Sequence[Act[WyomingEvent]]:
        """Text to the turn that it is of."""
        turn = next((turn for turn in self._turns if turn.key == key), None)
        if turn is None:
            return []
        acts: Acts = []
        if isinstance(event, Partial | FinalEvent):
            turn.hear(event)
        elif isinstance(event, Error):
            acts.append(_error(event.message, event.code))
            self._over(turn)
        elif isinstance(event, Closed):
            self._over(turn)
        return acts + self._due()

    def idle(self) -> Sequence[Act[WyomingEvent]]:
        """A client that waits for a transcript may be silent. One in the middle of an utterance is gone; what
        it would have read is said all the same."""
        if self._open is None:
            return [] if self._turns else [Close()]
        acts: Acts = [_error(f"no audio for {STALLED_S:g} s", "timeout")]
        for turn in self._turns:
            turn.is_over = True
        return [*acts, *self._due(), Close()]

    # What clients say

    def _describe(self, _event: WyomingEvent) -> Acts:
        return [Send(WyomingEvent("info", self._catalog.info()))]

    def _ping(self, event: WyomingEvent) -> Acts:
        text = event.data.get("text")
        return [Send(WyomingEvent("pong", {"text": text if isinstance(text, str) else None}))]

    def _transcribe(self, event: WyomingEvent) -> Acts:
        """What the next utterance is to be heard with."""
        models = self._catalog.models
        name = event.data.get("name")
        self._config = SessionConfig(
            language=language_of(event.data.get("language")),
            model=name if isinstance(name, str) and name in models else "",
            hotwords=hotwords_of(event.data),
            tenant=self._tenant,
        )
        return []

    def _start(self, event: WyomingEvent) -> Acts:
        self._is_refused = False
        acts = self._stop(event) if self._open else []
        return acts + self._set_format(event.data)

    def _chunk(self, event: WyomingEvent) -> Acts:
        if self._is_refused or not event.payload:
            return []
        acts = self._set_format(event.data)
        if self._converter is None or self._is_refused:
            return acts
        if self._open is None:
            acts += self._begin_turn()
            if self._open is None:
                return acts
        return [*acts, Audio(self._open.key, self._converter.push(event.payload))]

    def _stop(self, _event: WyomingEvent) -> Acts:
        """The utterance is over. Its transcript is due, also when no audio came."""
        if self._is_refused:
            self._is_refused = False
            return []
        turn, self._open = self._open, None
        if turn is None:
            self._empty_turn()
            return self._due()
        rest = self._converter.flush() if self._converter else b""
        self._format = self._converter = None
        return [Audio(turn.key, rest), End(turn.key)]

    # Utterances

    def _begin_turn(self) -> Acts:
        if len(self._turns) >= TURNS_MAX:
            return [_error(f"more than {TURNS_MAX} utterances wait for their transcripts", "busy"), Close()]
        self._open = Turn(self._next_key())
        self._turns.append(self._open)
        return [Open(key=self._open.key, config=self._config, is_counted=False)]

    def _empty_turn(self) -> None:
        """An utterance without audio that can be heard."""
        if len(self._turns) < TURNS_MAX:
            self._turns.append(Turn(self._next_key(), is_over=True))

    def _set_format(self, data: Mapping[str, Any]) -> Acts:
        """Read audio as the event says. Where the format changes, what was held back is let go first."""
        try:
            form = audio_format(data, self._format)
            if form == self._format:
                return []
            converter = form.converter()
        except StenoError as error:
            return self._refuse(error)
        rest = self._converter.flush() if self._converter else b""
        self._format, self._converter = form, converter
        return [Audio(self._open.key, rest)] if self._open and rest else []

    def _refuse(self, error: StenoError) -> Acts:
        """The rest of the utterance can't be read."""
        acts: Acts = [_error(error.message, error.code)]
        if self._open is None:
            self._empty_turn()
        else:
            acts.append(End(self._open.key))
        self._open = self._format = self._converter = None
        self._is_refused = True
        return acts + self._due()

    def _over(self, turn: Turn) -> None:
        turn.is_over = True
        if turn is self._open:  # its client is still speaking
            self._open = self._format = self._converter = None
            self._is_refused = True

    def _next_key(self) -> int:
        self._keys += 1
        return self._keys

    def _due(self) -> Acts:
        """What can be said now: chunks of the oldest turn, transcripts of those that are over."""
        acts: Acts = []
        while self._turns:
            turn = self._turns[0]
            acts += turn.chunks()
            if not turn.is_over:
                break
            self._turns.popleft()
            acts += turn.transcript()
        return acts


def _error(text: str, code: str) -> Send[WyomingEvent]:
    return Send(WyomingEvent("error", {"text": text, "code": code}))
