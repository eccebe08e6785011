"""A session of Steno as the Realtime dialect sees one: it keeps all promises of the native protocol, and is
as late and as uneven with its answers as the test likes.

Audio is `SPEECH` or `SILENCE` bytes. Every 100 ms of speech is a word.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from api.dialect import Act, Audio, Close, End, Finalize, Open, Send
from api.openai_realtime.dialect import RealtimeDialect
from shared.audio.convert import AudioFormat
from shared.events import (
    Closed,
    Event,
    Final,
    Finalized,
    Partial,
    Ready,
    SessionConfig,
    SpeechEnd,
    SpeechStart,
)
from shared.events import Limits as EventLimits

SPEECH, SILENCE = b"\x11", b"\x00"
WORD_MS = 100.0
LENGTH_MS = 3000.0
"""Longest utterance."""
_WIDTH_BYTES = {"pcm16": 2, "mulaw": 1, "alaw": 1}


@dataclass
class _Utterance:
    number: int
    start_ms: float
    words: list[str]
    end_ms: float = 0.0
    shown: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass
class ImaginedSession:
    """One session. `due` are its events that the dialect has not heard."""

    key: int
    config: SessionConfig
    audio: AudioFormat
    due: deque[Event] = field(default_factory=deque[Event])
    at_ms: float = 0.0
    silent_ms: float = 0.0
    begun: int = 0
    finalized: int = 0
    open: _Utterance | None = None
    line: deque[_Utterance | Finalize] = field(default_factory=deque["_Utterance | Finalize"])
    ended: bool = False

    def hear(self, data: bytes) -> None:
        """Take audio."""
        ms = 1000 * len(data) / (_WIDTH_BYTES[self.audio.encoding] * self.audio.sample_rate)
        begin, self.at_ms = self.at_ms, self.at_ms + ms
        if data[:1] == SILENCE:
            self.silent_ms += ms
            if self.open and self.silent_ms >= (self.config.endpointing_ms or 800):
                self._close("silence")
            return
        self.silent_ms = 0.0
        if self.open is None:
            self._start(begin)
        assert self.open
        count = max(1, round(ms / WORD_MS))
        self.open.words += [
            f"s{self.key}u{self.open.number}w{len(self.open.words) + i}" for i in range(count)
        ]
        if self.at_ms - self.open.start_ms >= LENGTH_MS:
            self._close("length")
            self._start(self.at_ms)

    def finalize(self, act: Finalize) -> None:
        """Take a mark."""
        if self.open:
            self._close("finalize")
        self.line.append(act)

    def end(self) -> None:
        """Take the end."""
        self.ended = True
        if self.open:
            self._close("end")

    def partial(self) -> None:
        """Say what is certain of the open utterance, if nothing is in line before it."""
        if self.open and not self.line and self.open.words:
            shown = self.open.shown = min(len(self.open.words), self.open.shown + 2)
            certain = " ".join(self.open.words[:shown])
            self.due.append(
                Partial(
                    text=f"{certain} and perhaps this",
                    utterance=self.open.number,
                    start=self.open.start_ms / 1000,
                    end=self.at_ms / 1000,
                    committed=len(certain),
                    offset=0,
                )
            )

    def decide(self) -> None:
        """Decode the head of the line."""
        if self.line:
            self._said(self.line.popleft())
        elif self.ended:
            self.ended = False
            self.due.append(Closed(reason="end", duration=self.at_ms / 1000, utterances=self.begun))

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to come without more from the client."""
        return bool(self.line or self.ended or self.due)

    def _said(self, head: "_Utterance | Finalize") -> None:
        if isinstance(head, Finalize):
            self.finalized += 1
            self.due.append(
                Finalized(number=self.finalized, id=head.id, covered=self.at_ms / 1000, utterances=self.begun)
            )
            return
        self.due.append(
            Final(
                text=head.text,
                utterance=head.number,
                start=head.start_ms / 1000,
                end=head.end_ms / 1000,
                committed=len(head.text),
                offset=0,
                language="en",
            )
        )

    def _start(self, at_ms: float) -> None:
        self.open = _Utterance(self.begun, at_ms, [])
        self.begun += 1
        self.due.append(SpeechStart(utterance=self.open.number, start=at_ms / 1000))

    def _close(self, reason: Any) -> None:
        assert self.open
        utterance, self.open = self.open, None
        utterance.end_ms = self.at_ms
        self.due.append(SpeechEnd(utterance=utterance.number, end=self.at_ms / 1000, reason=reason))
        self.line.append(utterance)


class Imagined:
    """A dialect, the sessions it opens, and all that its client was told."""

    def __init__(self, dialect: RealtimeDialect) -> None:
        self.dialect = dialect
        self.sessions: dict[int, ImaginedSession] = {}
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.do(dialect.begin())

    def say(self, kind: str, **fields: Any) -> None:
        """Say something as the client."""
        self.do(self.dialect.received(json.dumps({"type": kind, **fields})))

    def do(self, acts: list[Act[str | bytes]]) -> None:
        """Do what the dialect asks for."""
        for act in acts:
            assert self.closed is None
            match act:
                case Send(frame=frame):
                    self.frames.append(json.loads(frame))
                case Open():
                    assert act.key not in self.sessions
                    self.sessions[act.key] = ImaginedSession(act.key, act.config, act.audio)
                    limits = EventLimits(message_bytes_max=1, session_s_max=1, resume_s=1)
                    self.sessions[act.key].due.append(Ready(session="s", token="t", model="m", limits=limits))
                case Audio():
                    assert not self.sessions[act.key].ended
                    self.sessions[act.key].hear(act.data)
                case Finalize():
                    self.sessions[act.key].finalize(act)
                case End():
                    self.sessions[act.key].end()
                case Close():
                    self.closed = act.code, act.reason
                case _:
                    raise AssertionError(act)

    def deliver(self, key: int) -> None:
        """The dialect hears the next event of a session."""
        session = self.sessions[key]
        if session.due:
            self.do(self.dialect.said(key, 0, session.due.popleft()))

    def settle(self) -> None:
        """Everything that is due is said."""
        while busy := [session for session in self.sessions.values() if session.is_busy]:
            for session in busy:
                session.decide()
                self.deliver(session.key)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The frames of a type."""
        return [frame for frame in self.frames if frame["type"] == kind]
