"""What workers tell about themselves beside their sign of life, and what they all have done in the last hour.

Both are for people who watch: nothing is decided by them, so a report that is lost is not sent again, and one
whose answer was lost with the connection may count twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import msgpack
from redis.exceptions import ResponseError

from shared.codec import CodecError, pack, unpack
from shared.events import SessionConfig
from shared.redis.connection import AsyncRedis
from shared.redis.keys import GROUP, HISTORY, REPORTS, Keys
from shared.redis.scripts import Scripts
from shared.system import HISTORY_S, SLOT_S, SessionState

SESSIONS_TOLD_MAX: Final = 256
"""Sessions in a worker's report, about 90 bytes each."""
STALE_AFTER_S: Final = 15
"""A report is kept for this long. Longer than a sign of life, which says who lives: a worker that stalls has
its sessions still."""
WAITING_LOOKED_AT_MAX: Final = 64
"""Sessions without a worker that are looked up: more are not admitted, except while all workers are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldSession:
    """A session as its worker tells of it."""

    id: str
    tenant: str = ""
    surface: str = ""
    opened_s: float = 0.0
    """When, by the clock of Redis; 0 when that is not known."""
    state: SessionState
    audio_s: float = 0.0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker tells; the figures are of the last stretch of `SLOT_S`."""

    age_s: float
    batch_size: float | None = None
    busy: float | None = None
    real_time_factor: float | None = None
    sessions: tuple[ToldSession, ...] = ()
    """At most `SESSIONS_TOLD_MAX`, those with the greatest lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSession:
    """A session that no worker has."""

    id: str
    since_s: float
    """When it was queued, by the clock of Redis."""
    config: SessionConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that is known at a moment."""

    now_s: float
    reports: Mapping[str, Report]
    """By worker, the latest last."""
    history: Mapping[int, Mapping[str, float]]
    """Counts (`shared.tally`) by the time at which their stretch began, within the last `HISTORY_S`, as far
    as it was asked for."""


class Telling:
    """Writes and reads it."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._scripts = Scripts(client)

    async def tell(self, worker: str, report: Report, counts: Mapping[str, float]) -> None:
        """The worker's report, in place of its last, and what it has counted since."""
        await self._write(worker, pack(report), counts)

    async def leave(self, worker: str, counts: Mapping[str, float]) -> None:
        """The worker stops."""
        await self._write(worker, b"", counts)

    async def told(self, since: int = 0) -> Told:
        """All that is known now; of the history what begins at `since` or later."""
        args = [SLOT_S, HISTORY_S // SLOT_S, since]
        reply = await self._scripts.run("told", [REPORTS, HISTORY], args)
        return await asyncio.to_thread(_told, reply)

    async def waiting(self) -> list[WaitingSession]:
        """Sessions that no worker has, at most `WAITING_LOOKED_AT_MAX` of each shard, oldest first."""
        found: list[WaitingSession] = []
        for shard in range(self._keys.shards):
            found += await self._waiting_in(self._keys.queue(shard))
        return sorted(found, key=lambda session: session.since_s)

    async def _write(self, worker: str, report: bytes, counts: Mapping[str, float]) -> None:
        packed = cast(bytes, msgpack.packb(dict(counts)))
        args = [worker, report, packed, SLOT_S, HISTORY_S // SLOT_S, STALE_AFTER_S]
        await self._scripts.run("tell", [REPORTS, HISTORY], args)

    async def _waiting_in(self, queue: str) -> list[WaitingSession]:
        try:
            groups = await self._client.xinfo_groups(queue)
        except ResponseError:  # no session and no worker was ever here
            return []
        last = next((g["last-delivered-id"] for g in groups if g["name"] == GROUP.encode()), b"0-0")
        rows = cast(Any, await self._client.xrange(queue, f"({last.decode()}", "+", WAITING_LOOKED_AT_MAX))
        found: list[WaitingSession] = []
        for entry, fields in rows:
            session = fields[b"s"].decode()
            packed = cast(bytes | None, await self._client.hget(self._keys.session(session).state, "config"))
            if packed is None:
                continue
            since_s = int(entry.split(b"-")[0]) / 1000
            found.append(WaitingSession(id=session, since_s=since_s, config=unpack(SessionConfig, packed)))
        return found


def _told(reply: list[Any]) -> Told:
    (seconds, micros), reports, history = reply
    now_s = int(seconds) + int(micros) / 1e6
    return Told(now_s=now_s, reports=_reports(reports, now_s), history=_history(history, now_s))


def _reports(flat: list[bytes], now_s: float) -> dict[str, Report]:
    signed: list[tuple[int, str, Report]] = []
    for worker, value in zip(flat[::2], flat[1::2], strict=True):
        seen, _, packed = value.partition(b":")
        if int(now_s) - int(seen) > STALE_AFTER_S:
            continue
        try:
            signed.append((int(seen), worker.decode(), unpack(Report, packed)))
        except CodecError:  # a worker of another version
            continue
    return {worker: report for _, worker, report in sorted(signed, key=lambda row: row[:2])}


def _history(values: list[bytes | None], now_s: float) -> dict[int, dict[str, float]]:
    history: dict[int, dict[str, float]] = {}
    for value in filter(None, values):
        slot, _, packed = value.partition(b":")
        at = int(slot) * SLOT_S
        if not now_s - HISTORY_S - SLOT_S < at <= now_s:  # overwritten soon, or Redis's clock was set back
            continue
        counts: object = msgpack.unpackb(packed)
        # An empty table of Lua is an empty list.
        history[at] = cast(dict[str, float], counts) if isinstance(counts, dict) else {}
    return dict(sorted(history.items()))
