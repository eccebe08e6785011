"""What a live surface is: a pure object that turns a client's messages into acts, and a session's events into
frames. `api.conversation` does the acts.

A dialect decides nothing about audio or text. It names its sessions by numbers of its own choice (keys), may
have several at once or one after another, and never waits: every method returns at once what is to be done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.audio.convert import CANONICAL, AudioFormat
from shared.errors import StenoError
from shared.events import Event, SessionConfig

M_contra = TypeVar("M_contra", contravariant=True)
"""A client's message."""
F = TypeVar("F")
"""A frame to the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open a session under `key`, which no session of this connection has had. What comes behind this in the
    same list may use it. When it can't be opened, `said` gets an `Error` for it."""

    key: int = 0
    config: SessionConfig
    audio: AudioFormat = CANONICAL
    """What the client's audio of this session is."""
    is_admitted: bool = False
    """Whether it was asked before the socket was accepted if there is room."""
    is_resumable: bool = False
    """Whether a client that is gone without `End` may come back for it. The native protocol alone can."""
    is_counted: bool = True
    """Whether its tenant's requests were counted when the connection came."""
    acks: bool = False
    """Whether events tell how far audio has arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Go on with a session that another connection began, under `key`. Check the token first."""

    key: int = 0
    session: str
    token: str
    audio: AudioFormat
    config: SessionConfig
    after: int
    """Number of the last event that the client has."""
    acks: bool = False


@dataclass(frozen=True, slots=True)
class Audio:
    """The next bytes of a session's audio, any number. Waits while workers are too far behind; the client is
    not read meanwhile."""

    key: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Finalize:
    """End the open utterance now. `Finalized` with this id answers, behind the finals of all that was said
    before."""

    key: int
    id: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """No more audio of a session. Its last finals follow, then `Closed`."""

    key: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give a session up: what it has not said yet is not wanted, and `said` hears of it no more."""

    key: int


@dataclass(frozen=True, slots=True)
class Fail:
    """End a session because of what the client did wrong: `said` gets it as its last event."""

    key: int
    error: StenoError


@dataclass(frozen=True, slots=True)
class Send(Generic[F]):
    """A frame to the client."""

    frame: F


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, once the frames before this are written. Sessions that are neither ended nor
    resumable are abandoned."""

    code: int = 1000
    reason: str = ""


Act = Open | Resume | Audio | Finalize | End | Abandon | Fail | Send[F] | Close


class Dialect(Protocol[M_contra, F]):
    """One client's side of a surface. No method is called while another one runs."""

    @property
    def surface(self) -> str:
        """Label of its metrics."""
        ...

    @property
    def idle_s(self) -> float | None:
        """How long the client may send nothing while it is read, before `idle` is called; None: for ever."""
        ...

    def begin(self) -> Sequence[Act[F]]:
        """The connection is there."""
        ...

    def received(self, message: M_contra) -> Sequence[Act[F]]:
        """The client said something."""
        ...

    def said(self, key: int, seq: int, event: Event) -> Sequence[Act[F]]:
        """A session said something: all of its events in order, from `Ready` to `Closed` or `Error`. `Error`
        also stands for what its log does not hold (it could not be opened, Redis is lost, the client reads
        too slowly); its code is one of `shared.errors`."""
        ...

    def idle(self) -> Sequence[Act[F]]:
        """The client has sent nothing for `idle_s`."""
        ...
