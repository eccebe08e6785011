"""A session in Redis as the edge sees it: open it, append audio, mark its end, read its events."""

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import cast

from shared.audio.pcm import SAMPLE_BYTES
from shared.codec import pack, pack_event, unpack_event
from shared.errors import NotFound
from shared.events import Error, Event, Ready, SessionConfig, Warning
from shared.redis.connection import AsyncRedis
from shared.redis.keys import CLOSED_TTL_S, LIVE_TTL_S, Keys
from shared.redis.replies import Entry
from shared.redis.scripts import Scripts

Numbered = tuple[int, Event]
"""An event with its number."""

REPLAY_COUNT = 512
"""Events read from the log at a time."""


class Mark(StrEnum):
    """A client's wish, in its place in the audio. The value is the second half of the entry's id: marks
    stand behind the audio."""

    FINALIZE = "1"
    """Close the open utterance now."""
    END = "2"
    """No more audio will come."""


def token_hash(token: str) -> str:
    """What is kept of a resume token."""
    return hashlib.sha256(token.encode()).hexdigest()


class SessionLog:
    """The edge's side of all sessions. One object per process."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, resume_s: float) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)
        self._resume_s = round(resume_s)

    async def open(self, session: str, token: str, config: SessionConfig, ready: Ready) -> int:
        """Create the session and queue it for a worker. Returns the number of `ready`."""
        k = self._keys.session(session)
        args = [
            session,
            pack(config),
            token_hash(token),
            pack_event(ready),
            k.live,
            LIVE_TTL_S,
            self._resume_s,
        ]
        seq = await self._scripts.run("open", [k.queue, k.state, k.events, k.client], args)
        if not seq:
            raise ValueError(f"session {session} exists")
        return int(seq)

    async def append(self, session: str, start_sample: int, pcm16: bytes) -> bool:
        """Append canonical audio that begins at `start_sample`.

        Returns False when it was there already. Raises `NotFound` when the session is closed.
        """
        end = start_sample + len(pcm16) // SAMPLE_BYTES
        return await self._append(session, f"{end}-0", "d", pcm16)

    async def mark(self, session: str, at_sample: int, mark: Mark) -> bool:
        """Put a mark behind the audio up to `at_sample`. Returns False when it was there already."""
        return await self._append(session, f"{at_sample}-{mark.value}", "c", mark.name.lower())

    async def _append(self, session: str, entry: str, field: str, value: bytes | str) -> bool:
        k = self._keys.session(session)
        return bool(await self._scripts.run("append", [k.audio, k.state], [entry, field, value, LIVE_TTL_S]))

    async def touch_client(self, session: str) -> None:
        """Say that the client is still connected; to be repeated well within `resume_s`."""
        await self._client.set(self._keys.session(session).client, b"1", ex=self._resume_s)

    async def warn(self, session: str, warning: Warning) -> int:
        """Say something as the edge, in the session's own numbering."""
        return await self._note(session, warning, close=False)

    async def fail(self, session: str, error: Error) -> int:
        """End the session as the edge: its worker, if any, is superseded."""
        return await self._note(session, error, close=True)

    async def _note(self, session: str, event: Event, *, close: bool) -> int:
        k = self._keys.session(session)
        args = [k.live, pack_event(event), CLOSED_TTL_S if close else LIVE_TTL_S, int(close)]
        return int(await self._scripts.run("note", [k.state, k.events, k.queue, k.audio, k.client], args))

    async def is_claimed(self, session: str) -> bool:
        """Whether some worker has ever taken the session."""
        return bool(await self._client.hexists(self._keys.session(session).state, "owner"))

    async def covered(self, session: str) -> int:
        """First sample that nothing is decided about; 0 when the session is gone."""
        return int(
            cast(bytes | None, await self._client.hget(self._keys.session(session).state, "committed")) or 0
        )

    async def check_token(self, session: str, token: str) -> None:
        """Raises `NotFound` when there is no such session, or the token is not its."""
        kept = cast(bytes | None, await self._client.hget(self._keys.session(session).state, "token"))
        if kept is None or not hmac.compare_digest(kept, token_hash(token).encode()):
            raise NotFound("no such session, or the token is not its")

    async def events_after(self, session: str, seq: int) -> Sequence[Numbered]:
        """Logged events with numbers above `seq`, oldest first, at most `REPLAY_COUNT`."""
        events = self._keys.session(session).events
        reply = await self._client.xrange(events, f"({seq}-0", "+", REPLAY_COUNT)
        entries = cast(list[Entry], reply)
        return [(int(entry.split(b"-")[0]), unpack_event(fields[b"e"])) for entry, fields in entries]
