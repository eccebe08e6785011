"""Speech decoded in this process: the session machines, scheduler and engine of a worker, without Redis."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any, Final, Self

from assistant.settings import AssistantSettings
from assistant.tuning import Tuned, measure
from client.errors import SessionOver
from client.incoming import LiveTranscript
from client.options import StreamOptions
from shared.audio.convert import AudioFormat
from shared.audio.pcm import SAMPLE_RATE
from shared.errors import BadParameter, DeviceFault, EngineFault, ModelUnavailable, UnknownModel
from shared.events import Event, Partial, SessionConfig
from shared.languages import AUTO
from shared.models import ModelFiles, resolve
from shared.tasks import end_tasks
from worker.core.effects import Close, Decode, Effect, Emit, SessionOptions
from worker.core.session import Session
from worker.device import Answer, Device
from worker.engine import silero
from worker.engine.api import WITHOUT_WEIGHTS, Engine
from worker.engine.silero import SileroVad
from worker.loading import load
from worker.rules import LibraryRules

log = logging.getLogger(__name__)

_UNDECIDED_SAMPLES_MAX: Final = 60 * SAMPLE_RATE
"""Audio that may be undecided before a sender waits: more than the longest utterance and the one before."""
_UNREAD_MAX: Final = 1024
"""Events that may be unread before a sender waits."""
_ATTEMPTS: Final = 2
"""How often one session's decodes may fail in succession: fewer than a device may before it counts as broken
(`worker.device.FAULTS_MAX`), so that audio which can't be decoded harms nobody else."""


class LocalSpeech:
    """See `assistant.speech.Speech`."""

    def __init__(self, settings: AssistantSettings) -> None:
        self._settings = settings
        self._device: Device | None = None
        self._tuned: Tuned | None = None
        self._sessions: set[LocalSession] = set()
        self._watch: asyncio.Task[None] | None = None
        self._numbers = 0
        self._broken: DeviceFault | None = None

    @property
    def name(self) -> str:
        """The model and what it runs on."""
        info = self._opened.info
        return f"{info.name} {info.model} on {info.device} {info.compute_type}"

    @property
    def chunk_s(self) -> float | None:
        """See `Speech`. None before it is open."""
        return self._tuned and self._tuned.chunk_s

    async def open(self) -> Self:
        """Load the model, warm it, and see how quick it is. Raises `BadParameter`, `ModelUnavailable` or
        `EngineFault`."""
        engine, self._tuned = await asyncio.to_thread(_load, self._settings)
        self._device = Device(engine)
        self._watch = asyncio.create_task(self._watch_device(self._device), name="watch-device")
        return self

    @asynccontextmanager
    async def connect(
        self, options: StreamOptions, *, in_step: bool = False
    ) -> AsyncGenerator["LocalSession"]:
        """See `Speech`. Raises `BadParameter` or `UnknownModel` for what this engine can't do."""
        device = self._opened
        if self._broken:
            raise self._broken
        _check_served(options, device)
        assert self._tuned is not None
        self._numbers += 1
        session = LocalSession(str(self._numbers), device, options, self._tuned.options(), in_step=in_step)
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.discard(session)
            session.fail(SessionOver("the session was left"))
            device.withdraw(session.key)

    async def close(self) -> None:
        """End all sessions, wait for the decode that runs, unload the model."""
        for session in self._sessions:
            session.fail(SessionOver("the engine is closed"))
        if self._watch is not None:
            await end_tasks([self._watch])
        if self._device is not None:
            await self._device.close()
            self._device = None

    @property
    def _opened(self) -> Device:
        if self._device is None:
            raise SessionOver("the engine is closed")
        return self._device

    async def _watch_device(self, device: Device) -> None:
        try:
            await device.watch_forever()
        except DeviceFault as fault:
            log.error("the device is broken: %s", fault)
            self._broken = fault
            for session in self._sessions:
                session.fail(fault)


class LocalSession:
    """One session; it has the shape of `client.LiveSession`. Used from one event loop."""

    def __init__(
        self, key: str, device: Device, options: StreamOptions, how: SessionOptions, *, in_step: bool
    ) -> None:
        self.key = key
        self.transcript = LiveTranscript()
        self._device = device
        self._in_step = in_step
        self._converter = AudioFormat(options.encoding, options.sample_rate, options.channels).converter()
        self._machine = Session(_config(options), SileroVad(), options=how, rules=LibraryRules())
        self._unread: deque[Event] = deque()
        self._asked: set[int] = set()
        self._faults = 0
        self._finalized = 0
        self._is_ended = self._is_over = False
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    async def send(self, audio: bytes) -> None:
        """See `Live`. Raises the session's error if it has one, and `SessionOver` after its end."""
        self._raise_if_over()
        pcm16 = self._converter.push(audio)
        # In pieces, so that one who sends a long recording at once does not keep the loop for as long.
        for start in range(0, len(pcm16), 2 * SAMPLE_RATE):
            self._apply(self._machine.audio(self._machine.received, pcm16[start : start + 2 * SAMPLE_RATE]))
            await asyncio.sleep(0)
            await self._until(self._has_room)
            self._raise_if_failed()

    async def finalize(self, id: str = "") -> int:
        """See `Live`."""
        self._raise_if_over()
        self._finalized += 1
        self._apply(self._machine.finalize(self._finalized, id))
        return self._finalized

    async def end(self) -> None:
        """See `Live`. A second call does nothing."""
        if self._is_ended:
            return
        self._raise_if_over()
        self._is_ended = True
        rest = self._converter.flush()
        effects = self._machine.audio(self._machine.received, rest) if rest else []
        self._apply(effects + self._machine.end())

    def fail(self, error: Exception) -> None:
        """Nothing more will be said."""
        if not self._is_over:
            self._is_over, self._failure = True, error
            self._changed.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """See `Live`. Raises `EngineFault`, and `SessionOver` when the session or the engine was closed."""
        await self._until(lambda: bool(self._unread) or self._is_over)
        if not self._unread:
            raise self._failure or StopAsyncIteration
        event = self._unread.popleft()
        self._changed.set()
        self.transcript = self.transcript.after(event)
        return event

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Decode():
                    self._ask(effect)
                case Emit(events):
                    for event in events:
                        self._say(event)
                case Close(event):
                    self._say(event)
                    self._is_over = True
                case _:
                    pass  # counted where there are metrics
        self._changed.set()

    def _ask(self, decode: Decode) -> None:
        ticket = decode.ticket
        self._asked.add(ticket)
        self._device.offer(
            self.key,
            ticket,
            decode.request,
            lambda answer: self._answered(ticket, answer),
            lambda: self._machine.newest(ticket),
            lag_s=decode.lag_s,
        )

    def _answered(self, ticket: int, answer: Answer) -> None:
        self._asked.discard(ticket)
        if self._is_over:
            return
        if isinstance(answer, EngineFault):
            self._faults += 1
            if self._faults >= _ATTEMPTS or isinstance(answer, DeviceFault):
                self.fail(answer)
                return
            answer = None  # what is still needed is asked for again
        elif answer is not None:
            self._faults = 0
        self._apply(self._machine.decoded(ticket, answer))

    def _say(self, event: Event) -> None:
        if isinstance(event, Partial) and self._unread and isinstance(self._unread[-1], Partial):
            self._unread.pop()  # nobody has read it, and the new one says more
        self._unread.append(event)

    def _has_room(self) -> bool:
        undecided = self._machine.received - self._machine.covered
        return self._is_over or not (
            undecided > _UNDECIDED_SAMPLES_MAX
            or len(self._unread) >= _UNREAD_MAX
            or (self._in_step and self._asked)
        )

    def _raise_if_over(self) -> None:
        self._raise_if_failed()
        if self._is_ended or self._is_over:
            raise SessionOver("this session's audio has ended; open a new session for more")

    def _raise_if_failed(self) -> None:
        if self._failure:
            raise self._failure

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Sender and reader wait here side by side: `set` wakes both, and each looks for itself."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()


def check_speaks(model: str, files: ModelFiles, language: str) -> None:
    """Refuse a model that knows English alone, unless English was asked for: by the model's name, which then
    ends in `.en`, or as the language. Raises `ModelUnavailable`."""
    if files.multilingual or language == "en":
        return
    if language != AUTO:
        raise ModelUnavailable(f"model {model} knows English alone, and the language asked for is {language}")
    if not model.rstrip("/").endswith(".en"):
        raise ModelUnavailable(
            f"model {model} knows English alone: ask for that with STT_LANGUAGE=en, or take another model"
        )


def _load(settings: AssistantSettings) -> tuple[Engine, Tuned]:
    """In a thread."""
    name = {"faster": "faster_whisper"}.get(settings.backend, settings.backend)
    if name not in WITHOUT_WEIGHTS:
        check_speaks(settings.model, resolve(settings.model), settings.language)
    engine = load(
        name,
        settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=settings.threads,
    )
    try:
        engine.prepare()
        silero.prepare()
        return engine, measure(engine, settings.chunk_s)
    except BaseException:
        engine.close()
        raise


def _check_served(options: StreamOptions, device: Device) -> None:
    info = device.info
    if options.model and options.model != info.model:
        raise UnknownModel(f"this process decodes with {info.model}, and not with {options.model}")
    if options.language != AUTO and options.language not in info.languages:
        raise BadParameter(f"model {info.model} does not know the language {options.language}")


def _config(options: StreamOptions) -> SessionConfig:
    """What of the options is the machine's. The rest is the form of the audio."""
    known = {field.name for field in fields(SessionConfig)}
    asked: dict[str, Any] = {
        field.name: getattr(options, field.name) for field in fields(options) if field.name in known
    }
    return SessionConfig(**asked)
