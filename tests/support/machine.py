"""A session machine driven by hand: no event loop, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.codec import unpack
from shared.events import Event, Final, Partial, SessionConfig
from tests.support.sound import loudness_vad
from worker.core.decode import DecodeRequest, DecodeResult
from worker.core.effects import Alone, Checkpoint, Close, Decode, Dropped, Effect, Emit, SessionOptions
from worker.core.session import Session
from worker.core.writing import Rules
from worker.engine.api import EngineOptions
from worker.engine.scripted import ScriptedEngine

ENGINE = ScriptedEngine(EngineOptions(model="scripted"))
Answer = Callable[[DecodeRequest], DecodeResult | None]


def scripted(request: DecodeRequest) -> DecodeResult:
    """What the scripted engine says."""
    return ENGINE.decode([request])[0]


@dataclass
class Driver:
    """Runs a session: applies effects at once, answers decodes through `answer`, keeps what was said."""

    answer: Answer = scripted
    config: SessionConfig = field(default_factory=SessionConfig)
    options: SessionOptions = field(default_factory=SessionOptions)
    committed: int = 0
    checkpoint: Checkpoint | None = None
    rules: Rules | None = None
    events: list[Event] = field(default_factory=list[Event])
    requests: list[DecodeRequest] = field(default_factory=list[DecodeRequest])
    covered: list[int] = field(default_factory=list[int])
    dropped: list[Dropped] = field(default_factory=list[Dropped])
    alone: list[Alone] = field(default_factory=list[Alone])
    left: Checkpoint | None = None
    closed: bool = False

    def __post_init__(self) -> None:
        self.session = Session(
            self.config,
            loudness_vad,
            options=self.options,
            rules=self.rules,
            committed=self.committed,
            checkpoint=self.checkpoint,
        )

    def hear(self, audio: bytes, *, chunk_samples: int = 1600, start: int | None = None) -> None:
        """Feed audio in chunks."""
        at = self.session.received if start is None else start
        for i in range(0, len(audio), chunk_samples * 2):
            piece = audio[i : i + chunk_samples * 2]
            self.apply(self.session.audio(at, piece))
            at += len(piece) // 2

    def apply(self, effects: list[Effect]) -> None:
        """Do what the machine wants, answers included."""
        for effect in effects:
            assert not self.closed, "an effect behind Close"
            match effect:
                case Decode(request, ticket):
                    self.requests.append(request)
                    self.apply(self.session.decoded(ticket, self.answer(request)))
                case Emit(events, covered, checkpoint):
                    self.events += events
                    if covered is not None:
                        self.covered.append(covered)
                    if checkpoint:
                        self.left = unpack(Checkpoint, checkpoint)
                case Dropped():
                    self.dropped.append(effect)
                case Alone():
                    self.alone.append(effect)
                case Close(event, covered):
                    self.events.append(event)
                    self.covered.append(covered)
                    self.closed = True

    def of(self, kind: type[Event]) -> list[Event]:
        """Events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def finals(self) -> list[Final]:
        """The finals."""
        return [event for event in self.events if isinstance(event, Final)]

    @property
    def partials(self) -> list[Partial]:
        """The partials."""
        return [event for event in self.events if isinstance(event, Partial)]
