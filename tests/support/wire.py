"""A real WebSocket server that speaks the native protocol as a test tells it to: for the client, which
must also meet what the edge never does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from shared.codec import event_to_map
from shared.events import Closed, Event, Final, Limits, Partial, Ready

READY = Ready(
    session="s1",
    token="t1",
    model="scripted",
    limits=Limits(message_bytes_max=65536, session_s_max=3600.0, resume_s=30.0),
)


def partial(text: str, *, offset: int = 0, utterance: int = 0, committed: int = 0) -> Partial:
    """A partial in which only the text matters."""
    return Partial(text=text, utterance=utterance, start=0.0, end=1.0, committed=committed, offset=offset)


def final(text: str, *, offset: int = 0, utterance: int = 0) -> Final:
    """A final in which only the text matters."""
    return Final(text=text, utterance=utterance, start=0.0, end=1.0, committed=len(text), offset=offset)


@dataclass
class Talk:
    """One connection, from the server's side."""

    socket: ServerConnection
    path: str
    query: dict[str, str]
    seq: int = 0
    heard: list[bytes | dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None

    @property
    def audio(self) -> bytes:
        """All audio heard so far."""
        return b"".join(message for message in self.heard if isinstance(message, bytes))

    def say(self, *events: Event) -> None:
        """Send events with their numbers."""
        for event in events:
            self.seq += 1
            self.socket.send(json.dumps({**event_to_map(event), "seq": self.seq}))

    def hear(self) -> bytes | dict[str, Any]:
        """The next message."""
        message = self.socket.recv()
        self.heard.append(message if isinstance(message, bytes) else json.loads(message))
        return self.heard[-1]

    def hear_until(self, kind: str) -> None:
        """Read on to the text message of this type."""
        while True:
            message = self.hear()
            if isinstance(message, dict) and message["type"] == kind:
                return

    def closed(self, *, reason: Any = "end") -> None:
        """Say that the session is over; the connection closes when the script returns."""
        self.say(Closed(reason=reason, duration=len(self.audio) / 32000, utterances=1))


@dataclass
class WireServer:
    """The server's address, and the connections it has finished with or lost."""

    url: str
    talks: list[Talk] = field(default_factory=list)
    _over: threading.Condition = field(default_factory=threading.Condition)

    def last(self) -> Talk:
        """The first connection, once it is over."""
        with self._over:
            assert self._over.wait_for(lambda: self.talks, 30), "no connection came to its end"
            return self.talks[0]

    def finished(self, talk: Talk) -> None:
        """Keep a connection that is over."""
        with self._over:
            self.talks.append(talk)
            self._over.notify_all()


@contextmanager
def speaking(script: Callable[[Talk], None]) -> Iterator[WireServer]:
    """A server on a free port that follows `script` with each connection, on a thread of its own."""
    record: list[WireServer] = []

    def handle(socket: ServerConnection) -> None:
        address = urlsplit(socket.request.path if socket.request else "")
        talk = Talk(socket, address.path, dict(parse_qsl(address.query)))
        try:
            script(talk)
            socket.close()
        except ConnectionClosed:
            pass
        finally:
            talk.close_code = socket.close_code
            record[0].finished(talk)

    # Without a bound on what it has not read, it sees the client's close behind any flood of audio.
    with serve(handle, "127.0.0.1", 0, max_size=None, max_queue=None) as server:
        record.append(WireServer(f"ws://127.0.0.1:{_port(server)}"))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield record[0]
        finally:
            server.shutdown()
            thread.join()


def plain_session(talk: Talk) -> None:
    """A session as the edge has it: `ready`, text while audio comes, the last final and `closed` after
    `end`. Its text is `one`, then `one two`."""
    talk.say(READY)
    talk.hear()
    talk.say(partial("one", committed=3), partial("one tow", committed=3))
    talk.hear_until("end")
    talk.say(final("one two."))
    talk.closed()


def _port(server: Server) -> int:
    return int(server.socket.getsockname()[1])
