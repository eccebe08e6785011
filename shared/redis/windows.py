"""Windows of files on their way to device workers and back.

The job puts a window with its audio on its shard's stream, any worker with nothing live to do decodes it,
and the result goes into the job's hash, which is the job's checkpoint: a window with a result is never
decoded again.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, cast

from redis.exceptions import ResponseError

from shared.codec import pack, unpack
from shared.events import Word
from shared.redis.connection import AsyncRedis, SyncRedis
from shared.redis.keys import GROUP, Keys
from shared.redis.leases import ensure_group, is_group_missing
from shared.redis.replies import stream_entries
from shared.redis.scripts import Scripts
from shared.transcript import Segment, Token

WINDOW_LEASE_MS = 20_000
"""A window whose worker has said nothing of it for this long is delivered again."""
JOB_KEYS_TTL_S = 24 * 3600
"""Refreshed with each window; a job that died for good leaves nothing behind after this."""
ATTEMPTS_MAX = 3
_ERASE = "\n"
"""In front of a tenant, whose name has no line break."""
_LOOKED_AT = 32
"""Windows that are read at once when some are withdrawn: each has half a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A piece of a file to decode."""

    job: str
    number: int
    pcm16: bytes
    language: str
    task: str
    model: str = ""
    prompt: str = ""
    hotwords: str = ""
    speech: tuple[tuple[float, float], ...] = ()
    """Stretches with speech, in seconds of the window."""
    tokens: bool = False
    temperature: float = 0.0
    languages: tuple[str, ...] = ()
    no_digits: bool = False
    """Whether numbers are to be spelled."""
    tenant: str = ""
    """Whose share of a device it takes."""
    trace: str | None = None
    """Seed of the job's trace (`shared.traces`); None: it is not traced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """What was heard. `error` is a sentence when the window could not be decoded."""

    number: int
    language: str
    text: str = ""
    words: tuple[Word, ...] = ()
    """With times in seconds of the window."""
    tokens: tuple[tuple[Token, ...], ...] = ()
    """Those of each word, where they were asked for."""
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0
    temperature: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Windows on a stream."""

    unclaimed: int
    """No worker has taken them yet."""
    claimed: int
    """Workers have them in hand."""


class WindowQueue:
    """The job's side: without an event loop, because RQ's is."""

    def __init__(self, client: SyncRedis, keys: Keys, job: str, *, urgent: bool = False) -> None:
        """`urgent` windows are decoded before those that are not."""
        self._client = client
        self._job = job
        self._keys = keys.job(job)
        stream = keys.urgent_windows if urgent else keys.windows
        shard = keys.shard(job)
        self._stream = stream(shard)
        self._streams = (keys.windows(shard), keys.urgent_windows(shard))
        self._news_after = b"0-0"

    def put(self, window: Window) -> bytes:
        """Offer a window to the workers. Returns the entry, which lasts until the window is settled."""
        return cast(bytes, self._client.xadd(self._stream, {"w": pack(window), "j": self._job}))

    def backlog(self) -> Backlog:
        """Windows that wait or are decoded, of all jobs that share the stream."""
        length = self._client.xlen(self._stream)
        try:
            pending: Any = self._client.xpending(self._stream, GROUP)
        except ResponseError:  # no worker has been here: there is no group
            return Backlog(unclaimed=length, claimed=0)
        claimed = int(pending["pending"])
        return Backlog(unclaimed=length - claimed, claimed=claimed)

    def is_waiting(self, entry: bytes) -> bool:
        """Whether the window of that entry is still to be settled. When it is not, and has no result, Redis
        has lost it."""
        return bool(self._client.xrange(self._stream, entry.decode(), entry.decode()))

    def results(self) -> dict[int, WindowResult]:
        """All results so far, by window number."""
        rows = cast(dict[bytes, bytes], self._client.hgetall(self._keys.results))
        return {int(number): unpack(WindowResult, packed) for number, packed in rows.items()}

    def results_of(self, numbers: Collection[int]) -> dict[int, WindowResult]:
        """Those of these windows that have a result."""
        if not numbers:
            return {}
        names = [str(number) for number in numbers]
        rows = cast(list[bytes | None], self._client.hmget(self._keys.results, names))
        return {n: unpack(WindowResult, row) for n, row in zip(numbers, rows, strict=True) if row is not None}

    def wait(self, block_ms: int) -> bool:
        """Wait for a new result. Returns False when `block_ms` passed without one."""
        read: Any = self._client.xread({self._keys.news: self._news_after}, block=block_ms)
        entries = stream_entries(read)
        if entries:
            self._news_after = entries[-1][0]
        return bool(entries)

    def cancel(self, ttl_s: int, *, tenant: str = "", erase: bool = False) -> None:
        """Ask the job to stop, and the workers to leave its windows undecoded; with `erase` also to write
        nothing more of it. The mark remembers whose job it was: RQ may forget it."""
        self._client.set(self._keys.cancel, (_ERASE if erase else "") + tenant, ex=ttl_s)

    def is_erased(self) -> bool:
        """Whether nothing is to be left of the job."""
        mark = cast(bytes | None, self._client.get(self._keys.cancel))
        return mark is not None and mark.decode().startswith(_ERASE)

    def is_cancelled(self) -> bool:
        """Whether someone asked to cancel the job."""
        return bool(self._client.exists(self._keys.cancel))

    def cancelled_by(self) -> str | None:
        """The tenant whose job was cancelled; None when it was not."""
        mark = cast(bytes | None, self._client.get(self._keys.cancel))
        return None if mark is None else mark.decode().removeprefix(_ERASE)

    def forget_failed(self) -> None:
        """Forget the windows that could not be decoded, so that they are tried again."""
        failed = [number for number, result in self.results().items() if result.error]
        if failed:
            self._client.hdel(self._keys.results, *map(str, failed))

    def say(self, number: int, segment: Segment) -> None:
        """Let those who follow the job have its segment of that number, from 1. One that was said before, by
        a process that died, is not said again."""
        try:
            self._client.xadd(self._keys.segments, {"s": pack(segment)}, id=f"{number}-0")
        except ResponseError:  # its id is not above the last one
            return
        self._client.expire(self._keys.segments, JOB_KEYS_TTL_S)

    def said_after(self, number: int) -> list[tuple[int, Segment]]:
        """The segments behind that one, with their numbers."""
        entries = cast(Any, self._client.xrange(self._keys.segments, f"{number + 1}-0"))
        return [(int(entry.split(b"-")[0]), unpack(Segment, fields[b"s"])) for entry, fields in entries]

    def expire(self, ttl_s: int) -> None:
        """Keep what there is for so long only: the job has failed, and may be tried again until then."""
        for key in (self._keys.results, self._keys.news, self._keys.segments):
            self._client.expire(key, ttl_s)

    def withdraw(self) -> None:
        """Take the job's windows, with their audio, off the streams of its shard. Cancel it first: results of
        those that are being decoded are not kept then."""
        for stream in self._streams:
            after = "-"
            while rows := cast(Any, self._client.xrange(stream, after, "+", _LOOKED_AT)):
                own = [entry for entry, fields in rows if fields.get(b"j") == self._job.encode()]
                if own:
                    self._client.xdel(stream, *own)
                after = f"({rows[-1][0].decode()}"

    def clear(self) -> None:
        """Forget the job's results and news. That it was cancelled is remembered: windows of it may still be
        on their way."""
        self._client.delete(self._keys.results, self._keys.news, self._keys.segments)


@dataclass(frozen=True, slots=True)
class WindowClaim:
    """A window that is this worker's to decode."""

    stream: str
    entry: str
    window: Window
    attempts: int
    urgent: bool = False


class WindowSource:
    """The device worker's side."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, consumer: str) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)
        self._consumer = consumer

    async def ensure_groups(self) -> None:
        """Make the consumer group of every shard."""
        for shard in range(self._keys.shards):
            await ensure_group(self._client, self._keys.windows(shard))
            await ensure_group(self._client, self._keys.urgent_windows(shard))

    async def next_windows(
        self, shard: int, count: int, *, block_ms: int, urgent: bool = False, workers: int = 1
    ) -> list[WindowClaim]:
        """Windows that their worker left behind, else new ones, waiting `block_ms` for the first; at most
        `count`, and no more than this worker's share when there are so many `workers` (guided
        self-scheduling, Polychronopoulos and Kuck, 1987): at the end of a file all end at about the same
        time. Either of the urgent ones or of the others."""
        stream = self._keys.urgent_windows(shard) if urgent else self._keys.windows(shard)
        try:
            if workers > 1 and count > 1:
                count = max(1, min(count, math.ceil(await self._unclaimed(stream) / workers)))
            claims = await self._next_windows(stream, count, block_ms)
            return [replace(claim, urgent=urgent) for claim in claims]
        except ResponseError as error:
            if not is_group_missing(error):
                raise
            await ensure_group(self._client, stream)
            return []

    async def _next_windows(self, stream: str, count: int, block_ms: int) -> list[WindowClaim]:
        reply = await self._client.xautoclaim(stream, GROUP, self._consumer, WINDOW_LEASE_MS, "0-0", count)
        if reply[1]:
            return [
                WindowClaim(
                    stream, entry.decode(), unpack(Window, fields[b"w"]), await self._attempts(stream, entry)
                )
                for entry, fields in reply[1]
            ]
        read = await self._client.xreadgroup(GROUP, self._consumer, {stream: ">"}, count, block=block_ms)
        return [
            WindowClaim(stream, entry.decode(), unpack(Window, fields[b"w"]), 1)
            for entry, fields in stream_entries(read)
        ]

    async def renew(self, claims: Collection[WindowClaim]) -> None:
        """Say that the windows are still being worked on."""
        for stream in {claim.stream for claim in claims}:
            entries: list[Any] = [claim.entry for claim in claims if claim.stream == stream]
            await self._client.xclaim(stream, GROUP, self._consumer, 0, entries, justid=True)

    async def cancelled(self, jobs: Collection[str]) -> set[str]:
        """Which of the jobs were cancelled; their windows are then settled undecoded."""
        return {job for job in jobs if await self._client.exists(self._keys.job(job).cancel)}

    async def settle(self, claim: WindowClaim, result: WindowResult | None) -> None:
        """Post the result, or only remove the window when there is none."""
        k = self._keys.job(claim.window.job)
        packed = pack(result) if result else b""
        args = [GROUP, claim.entry, claim.window.number, packed, JOB_KEYS_TTL_S]
        await self._scripts.run("post_result", [claim.stream, k.results, k.news, k.cancel], args)

    async def release(self, claim: WindowClaim) -> None:
        """Leave the window, undecoded, to whoever asks next."""
        idle_ms = 10 * WINDOW_LEASE_MS
        await self._client.xclaim(
            claim.stream, GROUP, self._consumer, 0, [claim.entry], idle=idle_ms, justid=True
        )

    async def _unclaimed(self, stream: str) -> int:
        pending = await self._client.xpending(stream, GROUP)
        return int(await self._client.xlen(stream)) - int(pending["pending"])

    async def _attempts(self, stream: str, entry: bytes) -> int:
        pending = await self._client.xpending_range(stream, GROUP, entry, entry, 1)
        return int(pending[0]["times_delivered"]) if pending else 1
