"""A session in Redis as the edge sees it: open it, attach a connection to it, append audio, read its events.

One connection owns a session at a time: the one with the highest number. Every write carries the number, so
that a connection that was replaced, and may not know it yet, changes nothing.
"""

import hashlib
import hmac
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from redis.exceptions import ResponseError

from shared.audio.convert import CANONICAL, AudioFormat
from shared.audio.pcm import SAMPLE_BYTES
from shared.codec import pack, pack_event, unpack, unpack_event
from shared.errors import NotFound
from shared.events import Error, Event, Ready, SessionConfig, Warning
from shared.redis.batches import Batches
from shared.redis.connection import AsyncRedis
from shared.redis.keys import CLOSED_TTL_S, GROUP, LIVE_TTL_S, Keys
from shared.redis.replies import Entry
from shared.redis.scripts import Scripts

Numbered = tuple[int, Event]
"""An event with its number."""

REPLAY_COUNT = 512
"""Events read from the log at a time."""


class Mark(StrEnum):
    """A client's wish, in its place in the audio."""

    FINALIZE = "finalize"
    """Close the open utterance now."""
    END = "end"
    """No more audio will come."""


_END_PLACE: Final = 2**53
"""Second half of the id of `END`, behind the audio and every `FINALIZE`, whose numbers stand there."""


SIGN_PART: Final = 0.4
"""Part of `resume_s` for which the sign of a client's presence stays; edges make it again every quarter. When
it is gone the worker still waits for all of `resume_s`, by its own clock: a leap of Redis's clock ends all
signs at once, also of clients whose edge has just died."""
FIRST_CONNECTION: Final = 1
"""The number of the connection that opens a session."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a session beside its audio and events."""

    config: SessionConfig
    audio: AudioFormat
    seq: int
    """Number of the last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A connection that owns a session, and how far the session had come when it began to."""

    connection: int
    """Its number: every write of the edge carries it, and only the highest is accepted."""
    is_open: bool
    received: int
    """First canonical sample that has not arrived."""
    finalized: int
    """How many `finalize` have arrived."""
    ended: bool
    """Whether `end` has arrived."""
    seq: int
    """Number of the last event."""


NEW: Final = Attached(connection=FIRST_CONNECTION, is_open=True, received=0, finalized=0, ended=False, seq=0)
"""The connection that opened the session."""


def token_hash(token: str) -> str:
    """What is kept of a resume token."""
    return hashlib.sha256(token.encode()).hexdigest()


class SessionLog:
    """The edge's side of all sessions. One object per process."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, resume_s: float) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)
        self._batches = Batches(client, self._scripts)
        self._client_ttl_ms = round(1000 * SIGN_PART * resume_s)

    async def open(
        self,
        session: str,
        token: str,
        config: SessionConfig,
        ready: Ready,
        *,
        audio: AudioFormat = CANONICAL,
        kept_s: int = 0,
    ) -> int:
        """Create the session and queue it for a worker; `kept_s` is how long it is kept once it is closed, 0
        for as long as usual. Returns the number of `ready`."""
        k = self._keys.session(session)
        args = [
            session,
            pack(config),
            token_hash(token),
            pack_event(ready),
            k.live,
            LIVE_TTL_S,
            self._client_ttl_ms,
            pack(audio),
            kept_s or "",
        ]
        seq = await self._scripts.run("open", [k.queue, k.state, k.events, k.client], args)
        if not seq:
            raise ValueError(f"session {session} exists")
        return int(seq)

    async def look(self, session: str, token: str) -> Kept:
        """The session that the token belongs to. Raises `NotFound` when there is none, or the token is
        another's: which of the two is not said."""
        reply = await self._client.hmget(
            self._keys.session(session).state, ["token", "config", "audio", "seq"]
        )
        kept, config, audio, seq = cast(list[bytes | None], reply)
        expected = (kept or b"").decode()
        if not hmac.compare_digest(expected, token_hash(token)) or not (config and audio):
            raise NotFound("no such session, or the token is not its")
        return Kept(unpack(SessionConfig, config), unpack(AudioFormat, audio), int(seq or 0))

    async def attach(self, session: str) -> Attached:
        """Make a new connection the session's owner; the one before it is told. Check the token first.
        Raises `NotFound`."""
        k = self._keys.session(session)
        reply = await self._scripts.run("attach", [k.state, k.client], [k.live, self._client_ttl_ms])
        connection, status, received, finalized, ended, seq = reply
        return Attached(
            connection=int(connection),
            is_open=status == b"open",
            received=int(received),
            finalized=int(finalized),
            ended=bool(int(ended)),
            seq=int(seq),
        )

    async def append(
        self, session: str, start_sample: int, pcm16: bytes, *, connection: int = FIRST_CONNECTION
    ) -> bool:
        """Append canonical audio that begins at `start_sample`, where the session's audio ends.

        Returns False when it was there already. Raises `NotFound` when the session is closed, `TakenOver`
        when it is another connection's, `MustResume` when audio before it is missing.
        """
        k = self._keys.session(session)
        end = start_sample + len(pcm16) // SAMPLE_BYTES
        args = [connection, start_sample, end, pcm16, LIVE_TTL_S]
        return bool(await self._batches.run("append", [k.audio, k.state], args))

    async def mark(
        self,
        session: str,
        at_sample: int,
        mark: Mark,
        *,
        connection: int = FIRST_CONNECTION,
        finalized: int = 1,
        id: str = "",
    ) -> bool:
        """Put a mark behind the audio up to `at_sample`; `finalized` numbers the session's `FINALIZE`, `id`
        is the client's word for it. Returns False when it was there already. Raises `NotFound` and
        `TakenOver`."""
        k = self._keys.session(session)
        number, place = (finalized, finalized) if mark is Mark.FINALIZE else ("", _END_PLACE)
        args = [connection, f"{at_sample}-{place}", mark.value, LIVE_TTL_S, number, id]
        return bool(await self._scripts.run("mark", [k.audio, k.state], args))

    async def touch_client(self, session: str, *, connection: int = FIRST_CONNECTION) -> bool:
        """Say that the client is still connected; to be repeated well within `resume_s`. Returns whether
        the session is open. Raises `NotFound` when it is gone, and `TakenOver`."""
        k = self._keys.session(session)
        # Together with appends: a thousand sessions that are silent touch a hundred times a second.
        return bool(await self._batches.run("touch", [k.state, k.client], [connection, self._client_ttl_ms]))

    async def warn(self, session: str, warning: Warning, *, connection: int = FIRST_CONNECTION) -> int:
        """Say something as the edge, in the session's own numbering. Raises `NotFound` and `TakenOver`."""
        return await self._note(session, warning, connection, close=False)

    async def fail(self, session: str, error: Error, *, connection: int = FIRST_CONNECTION) -> int:
        """End the session as the edge: its worker, if any, is superseded. Raises `NotFound` and
        `TakenOver`."""
        return await self._note(session, error, connection, close=True)

    async def _note(self, session: str, event: Event, connection: int, *, close: bool) -> int:
        k = self._keys.session(session)
        ttl_s = CLOSED_TTL_S if close else LIVE_TTL_S
        args = [k.live, pack_event(event), ttl_s, int(close), connection]
        return int(await self._scripts.run("note", [k.state, k.events, k.queue, k.audio, k.client], args))

    async def erase(self, session: str, tenant: str, error: Error) -> bool:
        """Leave nothing of a tenant's session behind; one that is open ends with `error`. Returns whether
        there was one."""
        k = self._keys.session(session)
        config = cast(bytes | None, await self._client.hget(k.state, "config"))
        if config is None or unpack(SessionConfig, config).tenant != tenant:
            return False
        args = [GROUP, k.live, pack_event(error)]
        return bool(await self._scripts.run("erase", [k.queue, k.state, k.events, k.audio, k.client], args))

    async def is_claimed(self, session: str) -> bool:
        """Whether some worker has ever taken the session."""
        return bool(await self._client.hexists(self._keys.session(session).state, "owner"))

    async def covered(self, session: str) -> int:
        """First sample that nothing is decided about; 0 when the session is gone."""
        return int(
            cast(bytes | None, await self._client.hget(self._keys.session(session).state, "committed")) or 0
        )

    async def waiting(self) -> int:
        """Sessions that no worker has taken yet."""
        total = 0
        for shard in range(self._keys.shards):
            queue = self._keys.queue(shard)
            total += int(await self._client.xlen(queue))
            try:
                pending = await self._client.xpending(queue, GROUP)
            except ResponseError:  # no worker has ever been here to make the group
                continue
            total -= int(pending["pending"])
        return max(0, total)

    async def logged(self, session: str, after: int) -> AsyncGenerator[Numbered]:
        """All logged events with numbers above `after`, oldest first."""
        while batch := await self.events_after(session, after):
            for numbered in batch:
                yield numbered
            after = batch[-1][0]
            if len(batch) < REPLAY_COUNT:
                return

    async def events_after(self, session: str, seq: int) -> Sequence[Numbered]:
        """Logged events with numbers above `seq`, oldest first, at most `REPLAY_COUNT`."""
        events = self._keys.session(session).events
        reply = await self._client.xrange(events, f"({seq}-0", "+", REPLAY_COUNT)
        entries = cast(list[Entry], reply)
        return [(int(entry.split(b"-")[0]), unpack_event(fields[b"e"])) for entry, fields in entries]
