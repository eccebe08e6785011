"""A session in Redis as its worker sees it: claim it, read its audio, say what was heard, settle it.

The pending entry in the stream of sessions is the lease: it is this worker's while it is renewed. A claim
raises the fence, and every write carries it; a worker whose lease went to another gets `Superseded` at its
next write and stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from shared.audio.pcm import SAMPLE_BYTES
from shared.codec import pack_event, unpack
from shared.events import Event, Partial, SessionConfig
from shared.redis.connection import AsyncRedis
from shared.redis.keys import CLOSED_TTL_S, GROUP, LIVE_TTL_S, Keys
from shared.redis.replies import Entry, Fields, stream_entries
from shared.redis.scripts import Scripts
from shared.redis.sessions import Mark

AUDIO_READ_COUNT = 256
"""Entries taken from an audio stream at a time: 25 s of 100 ms chunks."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Canonical audio `[start, end)` in samples of the session."""

    start: int
    pcm16: bytes

    @property
    def end(self) -> int:
        """The first sample behind this chunk."""
        return self.start + len(self.pcm16) // SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class Marked:
    """A client's wish at a sample."""

    at: int
    mark: Mark


Item = Chunk | Marked


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a session, as long as its lease lasts."""

    session: str
    shard: int
    entry: str
    fence: int
    config: SessionConfig
    committed: int
    """First sample that no final covers yet: where to begin."""
    checkpoint: bytes
    """What the previous owner left; empty at first."""
    attempts: int
    """How often the session was delivered, this time included."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What an owner says in one transition."""

    events: Sequence[Event]
    """Numbered and announced in order; all but partials are logged."""
    covered: int | None = None
    """First sample that is still undecided; audio before it is dropped. None: as it was."""
    checkpoint: bytes = b""
    """What a successor needs beside the audio. Empty: as it was."""


class LeaseBook:
    """The worker's side of all sessions. `consumer` is unique per process."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, consumer: str, lease_s: float) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)
        self._consumer = consumer
        self._lease_ms = round(lease_s * 1000)

    async def ensure_groups(self) -> None:
        """Make the consumer group of every shard; again after a flush."""
        for shard in range(self._keys.shards):
            await ensure_group(self._client, self._keys.queue(shard))

    async def next_session(self, shard: int, *, block_ms: int) -> Claim | None:
        """A session whose worker is gone, else a new one, waiting `block_ms` for it.

        A session whose keys are gone is removed from the queue. The group is made when it is missing, as
        after a flush.
        """
        queue = self._keys.queue(shard)
        try:
            return await self._next_session(shard, queue, block_ms)
        except ResponseError as error:
            if not is_group_missing(error):
                raise
            await ensure_group(self._client, queue)
            return None

    async def _next_session(self, shard: int, queue: str, block_ms: int) -> Claim | None:
        reply = await self._client.xautoclaim(queue, GROUP, self._consumer, self._lease_ms, "0-0", 1)
        entries: list[Entry] = list(reply[1])
        if not entries:
            read = await self._client.xreadgroup(GROUP, self._consumer, {queue: ">"}, 1, block=block_ms)
            entries = stream_entries(read)
        if not entries:
            return None
        entry, fields = entries[0]
        return await self._claim(shard, entry.decode(), fields[b"s"].decode())

    async def _claim(self, shard: int, entry: str, session: str) -> Claim | None:
        k = self._keys.session(session)
        flat = await self._scripts.run("claim", [k.queue, k.state], [GROUP, self._consumer, entry])
        if not flat:
            return None
        state = dict(zip(flat[::2], flat[1::2], strict=True))
        return Claim(
            session=session,
            shard=shard,
            entry=entry,
            fence=int(state[b"fence"]),
            config=unpack(SessionConfig, state[b"config"]),
            committed=int(state[b"committed"]),
            checkpoint=state.get(b"checkpoint", b""),
            attempts=int(state[b"attempts"]),
        )

    async def renew(self, claim: Claim) -> bool:
        """Extend the lease. Returns whether an edge holds the client. Raises `Superseded`."""
        k = self._keys.session(claim.session)
        args = [claim.fence, GROUP, self._consumer, claim.entry, LIVE_TTL_S]
        return bool(await self._scripts.run("renew", [k.queue, k.state, k.audio, k.events, k.client], args))

    async def release(self, claim: Claim) -> None:
        """Give the lease back so that any worker takes the session at once. Raises `Superseded`."""
        k = self._keys.session(claim.session)
        args = [claim.fence, GROUP, self._consumer, claim.entry, self._lease_ms * 10]
        await self._scripts.run("release", [k.queue, k.state], args)

    async def emit(self, claim: Claim, write: int, saying: Saying) -> int:
        """Say something. Returns the last event's number. Raises `Superseded`.

        `write` counts the writes of this claim: the same one again, because the answer to the first was
        lost with the connection, changes nothing.
        """
        k = self._keys.session(claim.session)
        pairs: list[Any] = []
        for event in saying.events:
            pairs += [int(not isinstance(event, Partial)), pack_event(event)]
        covered = -1 if saying.covered is None else saying.covered
        head = [claim.fence, f"{claim.fence}.{write}", k.live, LIVE_TTL_S, covered, saying.checkpoint]
        return int(await self._scripts.run("emit", [k.state, k.events, k.audio], [*head, *pairs]))

    async def settle(self, claim: Claim, events: Sequence[Event], *, covered: int) -> None:
        """Last events, and the session is closed. Raises `Superseded`."""
        k = self._keys.session(claim.session)
        args = [
            claim.fence,
            GROUP,
            claim.entry,
            k.live,
            CLOSED_TTL_S,
            covered,
            *map(pack_event, events),
        ]
        await self._scripts.run("settle", [k.queue, k.state, k.events, k.audio, k.client], args)

    async def read_audio(self, claim: Claim, after: str, *, block_ms: int) -> tuple[str, list[Item]]:
        """Items behind the entry id `after`, waiting up to `block_ms`; with the id to go on from.

        Begin with `f"{committed}-0"`: a chunk that straddles the committed sample comes whole, marks at it
        come again.
        """
        key = self._keys.session(claim.session).audio
        read = await self._client.xread({key: after}, AUDIO_READ_COUNT, block=block_ms)
        items: list[Item] = []
        for entry, fields in stream_entries(read):
            after = entry.decode()
            items.append(_item(after, fields))
        return after, items


async def ensure_group(client: AsyncRedis, stream: str) -> None:
    """Make the consumer group of a stream, and the stream, unless they are there."""
    try:
        await client.xgroup_create(stream, GROUP, "0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def is_group_missing(error: ResponseError) -> bool:
    """Whether the group is gone, as after FLUSHALL or a restart without persistence."""
    return str(error).startswith("NOGROUP")


def _item(entry: str, fields: Fields) -> Item:
    sample = int(entry.split("-")[0])
    if b"c" in fields:
        return Marked(sample, Mark[fields[b"c"].decode().upper()])
    pcm16 = fields[b"d"]
    return Chunk(sample - len(pcm16) // SAMPLE_BYTES, pcm16)
