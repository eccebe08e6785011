"""A session in Redis as its worker sees it: claim it, read its audio, say what was heard, settle it.

The pending entry in the stream of sessions is the lease: it is this worker's while it is renewed. A claim
raises the fence, and every write carries it; a worker whose lease went to another gets `Superseded` at its
next write and stops.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from shared.audio.pcm import SAMPLE_BYTES
from shared.codec import pack_event, unpack
from shared.errors import EngineFault
from shared.events import Error, Event, Partial, SessionConfig
from shared.redis.connection import AsyncRedis
from shared.redis.keys import CLOSED_TTL_S, GROUP, LIVE_TTL_S, Keys
from shared.redis.replies import Fields, stream_entries
from shared.redis.scripts import Scripts
from shared.redis.sessions import Mark

AUDIO_READ_COUNT = 256
"""Entries taken from an audio stream at a time: 25 s of 100 ms chunks."""
FAILURES_MAX: Final = 3
"""Owners that may die of, or fail on, a session at one place in its audio; then it is set aside. All sessions
of a worker that dies are counted, so before the last attempt a session is a suspect: a worker has one at a
time, and the others wait for theirs."""
_BLAME_MS: Final = 30_000
"""An owner that lived this long with a session did not die of it."""
_VERDICT_LEASES: Final = 5
"""Leases between the loss of the last owner and setting the session aside: owners that were stalled or cut
off, all of them perhaps by the same Redis, have so long to come back and say that they live. With the usual
lease longer than a worker takes to notice a dead connection."""
_DEFER_MS: Final = 300
"""How long a session waits for a worker with less load: longer than the wait between two looks of one."""
_ASKED_MS: Final = 1_000
"""A worker that has not asked for this long is not waited for."""
_DEFER_LOOK_S: Final = 0.02
_GONE_MS: Final = 3_600_000
"""A consumer without sessions that was not heard of for this long is forgotten."""


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
    number: int = 0
    """Of `FINALIZE`: which one of the session it is, from 1; 0 when an edge did not say."""
    id: str = ""
    """The client's word for it."""


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
    failures: int
    """Owners that died of the session, or failed on it, since it last went forward."""
    opened_s: int = 0
    """When it was opened, in seconds by the clock of Redis; 0 when an older edge opened it."""

    @property
    def is_suspect(self) -> bool:
        """Whether it is set aside when this owner dies too."""
        return self.failures == FAILURES_MAX - 1


@dataclass(frozen=True, slots=True)
class SetAside:
    """A session that broke one owner after another: it was closed with an error."""

    session: str


@dataclass(frozen=True, slots=True)
class Load:
    """How much of its room a worker uses."""

    active: int = 0
    capacity: int = 1
    suspects: int = 0
    """Sessions that have broken workers before, and may break this one."""

    def share(self, more: int = 0) -> float:
        """Part of the room that is used with `more` sessions, 0 to 1."""
        return (self.active + more) / self.capacity


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

    async def next_session(
        self, shard: int, *, block_ms: int, load: Load = Load()
    ) -> Claim | SetAside | None:
        """A session whose worker is gone, else a new one, waiting `block_ms` for it.

        It is left to a worker with less `load`, as long as one asks. A session whose keys are gone is removed
        from the queue. The group is made when it is missing, as after a flush.
        """
        queue = self._keys.queue(shard)
        try:
            return await self._next_session(shard, queue, block_ms, load)
        except ResponseError as error:
            if not is_group_missing(error):
                raise
            await ensure_group(self._client, queue)
            return None

    async def _next_session(
        self, shard: int, queue: str, block_ms: int, load: Load
    ) -> Claim | SetAside | None:
        taken = await self._take(shard, queue, load)
        if len(taken) == 1:
            if not await self._client.xread({queue: taken[0]}, 1, block=block_ms):
                return None
            taken = await self._take(shard, queue, load)
        if not taken:
            await asyncio.sleep(_DEFER_LOOK_S)
        if len(taken) < 2:
            return None
        entry, session = taken
        return await self._claim(shard, entry.decode(), session.decode(), load)

    async def _take(self, shard: int, queue: str, load: Load) -> list[bytes]:
        shares = [load.share(), load.share(more=1)]
        args = [GROUP, self._consumer, self._lease_ms, *shares, _DEFER_MS, _ASKED_MS]
        return await self._scripts.run("take", [queue, self._keys.takers(shard)], args)

    async def _claim(self, shard: int, entry: str, session: str, load: Load) -> Claim | SetAside | None:
        k = self._keys.session(session)
        keys = [k.queue, k.state, k.events, k.audio, k.client]
        limits = [FAILURES_MAX, _BLAME_MS]
        args = [GROUP, self._consumer, entry, *limits, k.live, CLOSED_TTL_S, pack_event(_ASIDE)]
        args += [int(load.suspects > 0), _VERDICT_LEASES * self._lease_ms]
        flat = await self._scripts.run("claim", keys, args)
        if len(flat) < 2:
            return SetAside(session) if flat == [b"aside"] else None
        state = dict(zip(flat[::2], flat[1::2], strict=True))
        return Claim(
            session=session,
            shard=shard,
            entry=entry,
            fence=int(state[b"fence"]),
            config=unpack(SessionConfig, state[b"config"]),
            committed=int(state[b"committed"]),
            checkpoint=state.get(b"checkpoint", b""),
            failures=int(state.get(b"failures", 0)),
            opened_s=int(state.get(b"opened", 0)),
        )

    async def leave(self) -> None:
        """Ask for nothing more: nobody need wait for this worker. Consumers of dead workers are forgotten,
        and this one once it has given its sessions back."""
        for shard in range(self._keys.shards):
            keys = [self._keys.queue(shard), self._keys.takers(shard)]
            try:
                await self._scripts.run("leave", keys, [GROUP, self._consumer, _GONE_MS])
            except ResponseError as error:
                if not is_group_missing(error):
                    raise

    async def absolve(self, claim: Claim) -> None:
        """Say that the session breaks nobody: its owner lives."""
        await self._scripts.run("absolve", [self._keys.session(claim.session).state], [])

    async def renew(self, claim: Claim) -> bool:
        """Extend the lease. Returns whether an edge holds the client. Raises `Superseded`."""
        k = self._keys.session(claim.session)
        args = [claim.fence, GROUP, self._consumer, claim.entry, LIVE_TTL_S]
        return bool(await self._scripts.run("renew", [k.queue, k.state, k.audio, k.events, k.client], args))

    async def release(self, claim: Claim, *, failed: bool = False) -> None:
        """Give the lease back so that any worker takes the session at once; `failed` counts against the
        session. Raises `Superseded`."""
        k = self._keys.session(claim.session)
        args = [claim.fence, GROUP, self._consumer, claim.entry, claim.session, int(failed)]
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


_ASIDE: Final = Error(
    code=EngineFault.code,
    message=f"{FAILURES_MAX} workers in succession failed on this session at the same place in its audio",
    retryable=False,
)


async def ensure_group(client: AsyncRedis, stream: str) -> None:
    """Make the consumer group of a stream, and the stream, unless they are there."""
    try:
        await client.xgroup_create(stream, GROUP, "0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def is_group_missing(error: ResponseError) -> bool:
    """Whether the group is gone, as after FLUSHALL or a restart without persistence."""
    return str(error).startswith(("NOGROUP", "no such key"))


def _item(entry: str, fields: Fields) -> Item:
    sample = int(entry.split("-")[0])
    if b"c" in fields:
        mark, number = Mark(fields[b"c"].decode()), int(fields.get(b"n") or 0)
        return Marked(sample, mark, number, fields.get(b"i", b"").decode())
    pcm16 = fields[b"d"]
    return Chunk(sample - len(pcm16) // SAMPLE_BYTES, pcm16)
