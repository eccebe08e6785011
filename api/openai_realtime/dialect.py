"""One client of `/v1/realtime`: its events to acts on sessions, sessions' events to its frames. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from api.dialect import Act, Close, Send
from api.openai_realtime import shapes
from api.openai_realtime.commands import Append, Clear, Command, Commit, Refused, Update, parse
from api.openai_realtime.config import RealtimeConfig, updated
from api.openai_realtime.items import Book
from api.openai_realtime.native import ModelNames, native
from api.openai_realtime.shapes import Frame, Frames, error_object
from api.openai_realtime.stretches import HEARD_MS_MIN, Step, Stretches, Wanted
from shared.events import Closed, Error, Event
from shared.redis.presence import WorkerPresence

Message = str | bytes
Acts = list[Act[Message]]


class Expired:
    """In the place of a client's message: the connection has lasted as long as it may."""


EXPIRED: Final = Expired()
IDLE_S: Final = 60.0
"""Quiet after which a client's session is ended, so that it keeps no place on a worker. The connection stays:
clients keep some for later."""
_GOING_AWAY: Final = 1001
_POLICY: Final = 1008
_FAILED: Final = 1011
_TRY_AGAIN: Final = 1013


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is known of a client when it connects."""

    session: str
    """Id of the connection, of letters and digits."""
    config: RealtimeConfig
    expires_at: int
    """When the connection ends at the latest, in seconds since 1970."""
    is_beta: bool = False
    for_transcription: bool = True
    """Whether the client said `intent=transcription`."""
    tenant: str = ""
    workers: Sequence[WorkerPresence] = ()
    names: ModelNames = field(default=lambda _name: "")


class RealtimeDialect:
    """Satisfies `Dialect[Message | Expired, Message]`."""

    surface = "realtime"
    idle_s = IDLE_S

    def __init__(self, opening: Opening) -> None:
        """Raises `Refused` for a configuration that can't be served."""
        self._opening = opening
        self._config = opening.config
        self._frames = Frames(opening.session)
        self._book = Book(self._frames, opening.session)
        self._book.is_beta = opening.is_beta
        self._book.follow(self._config)
        self._stretches = Stretches(self._book, self._wanted(self._config))
        self._is_over = False

    def begin(self) -> Acts:
        """Pushed before the client says anything: some wait for it."""
        is_old = self._book.is_beta and self._opening.for_transcription
        return _acts([self._told("transcription_session.created" if is_old else "session.created")])

    def received(self, message: Message | Expired) -> Acts:
        """A client's event."""
        if self._is_over:
            return []
        if isinstance(message, Expired):
            return self._expired()
        event_id = ""
        try:
            command, event_id = parse(message)
            return _acts(self._obey(command))
        except Refused as refused:
            error = error_object(
                "invalid_request_error",
                refused.reason,
                refused.message,
                param=refused.param,
                event_id=refused.event_id or event_id or None,
            )
            return _acts([self._frames.make("error", error=error)])

    def said(self, key: int, seq: int, event: Event) -> Acts:
        """A session's event."""
        if self._is_over:
            return []
        if isinstance(event, Error):
            return self._failed(event)
        acts = _acts(self._stretches.said(key, event))
        is_limit = isinstance(event, Closed) and event.reason == "limit"
        return acts + (self._expired() if is_limit else [])

    def idle(self) -> Acts:
        """The client has been quiet; what it says next opens another session."""
        return _acts(self._stretches.end())

    def _obey(self, command: Command) -> list[Step]:
        match command:
            case Update():
                return self._update(command)
            case Append(audio):
                return self._stretches.append(audio)
            case Commit():
                return self._commit()
            case Clear():
                steps = self._stretches.clear()
                return [*steps, self._frames.make("input_audio_buffer.cleared")]

    def _update(self, command: Update) -> list[Step]:
        config = updated(self._config, command.session)
        wanted = self._wanted(config)
        self._config = config
        self._book.follow(config)
        self._book.is_beta = self._book.is_beta or command.is_beta
        kind = "transcription_session.updated" if command.is_beta else "session.updated"
        return [self._told(kind), *self._stretches.configure(wanted)]

    def _commit(self) -> list[Step]:
        length_ms = self._stretches.uncommitted_ms
        if length_ms < HEARD_MS_MIN:
            raise Refused(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{HEARD_MS_MIN:.0f}ms of audio, but buffer only has {max(0.0, length_ms):.2f}ms of audio.",
                reason="input_audio_buffer_commit_empty",
            )
        return self._stretches.commit()

    def _told(self, kind: str) -> Frame:
        session = shapes.session_object(
            f"sess_{self._opening.session}",
            self._config,
            expires_at=self._opening.expires_at,
            is_beta=self._book.is_beta,
        )
        return self._frames.make(kind, session=session)

    def _wanted(self, config: RealtimeConfig) -> Wanted:
        opening = self._opening
        session, audio = native(config, opening.names, opening.workers, tenant=opening.tenant)
        return Wanted(session, audio, is_manual=config.turn_detection is None)

    def _expired(self) -> Acts:
        message = "Your session hit the maximum duration."
        error = error_object("invalid_request_error", "session_expired", message)
        return self._over(error, _GOING_AWAY, message)

    def _failed(self, event: Error) -> Acts:
        """A session failed, and with it the connection: the client's next one begins anew."""
        is_clients = event.code.startswith("bad_")
        code = _POLICY if is_clients else _TRY_AGAIN if event.retryable else _FAILED
        kind = "invalid_request_error" if is_clients else "server_error"
        return self._over(error_object(kind, event.code, event.message), code, event.code)

    def _over(self, error: Frame, code: int, reason: str) -> Acts:
        self._is_over = True
        failed = [frame for item in self._stretches.undone() for frame in self._book.failed(item, error)]
        return _acts([*failed, self._frames.make("error", error=error), Close(code, reason)])


def _acts(steps: Sequence[Step]) -> Acts:
    return [Send(_text(step)) if isinstance(step, dict) else step for step in steps]


def _text(frame: Frame) -> str:
    return json.dumps(frame, ensure_ascii=False)
