"""A worker that hears nothing: `python -m bench.echo` claims sessions as a worker does, reads their audio,
and answers every few chunks with a partial that says when the newest of them was sent and read.

For measuring what lies between client and worker without the worker's own work. Times are the machine's
monotonic clock, which all processes on it share; a client writes the time at which it sends a chunk into the
chunk's first samples.
"""

import argparse
import asyncio
import contextlib
import struct
import time
import uuid
from typing import Any, Final

from shared.events import Partial
from shared.redis.connection import AsyncRedis, connect
from shared.redis.keys import Keys
from shared.redis.leases import Claim, LeaseBook, Load, Saying, SetAside
from shared.redis.presence import HEARTBEAT_S, Presence, WorkerPresence
from shared.tasks import end_tasks

STAMP: Final = struct.Struct("<d")
"""A time in seconds, in the place of a chunk's first four samples."""
EVERY_CHUNKS: Final = 5
"""Chunks for which there is one partial: every half second, as the service does it."""
LEASE_S: Final = 20.0
_BLOCK_MS: Final = 1000
_CAPACITY: Final = 4096
_GROUP: Final = 32
"""Sessions whose audio is read at once."""
_READ_COUNT: Final = 64


class Echo:
    """All sessions of the process."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client
        self._name = f"echo-{uuid.uuid4().hex[:8]}"
        self._book = LeaseBook(client, Keys(), consumer=self._name, lease_s=LEASE_S)
        self._sessions: set[asyncio.Task[None]] = set()
        self._groups: list[_Group] = []
        self._readers: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Until cancelled."""
        await self._book.ensure_groups()
        beat = asyncio.create_task(self._beat_forever())
        try:
            while True:
                load = Load(len(self._sessions), _CAPACITY)
                claim = await self._book.next_session(0, block_ms=_BLOCK_MS, load=load)
                if claim is not None and not isinstance(claim, SetAside):
                    task = asyncio.create_task(self._answer(self._group(), claim))
                    self._sessions.add(task)
                    task.add_done_callback(self._sessions.discard)
        finally:
            await end_tasks([beat, *self._readers, *self._sessions])

    def _group(self) -> "_Group":
        if not self._groups or len(self._groups[-1]) >= _GROUP:
            self._groups.append(_Group(self._client))
            self._readers.append(asyncio.create_task(self._groups[-1].read_forever()))
        return self._groups[-1]

    async def _beat_forever(self) -> None:
        presence = Presence(self._client)
        while True:
            active = len(self._sessions)
            sign = WorkerPresence(
                worker=self._name,
                model="echo",
                device="",
                languages=("en",),
                capacity=_CAPACITY,
                active=active,
            )
            await presence.beat(sign)
            await asyncio.sleep(HEARTBEAT_S)

    async def _answer(self, readers: "_Group", claim: Claim) -> None:
        renewing = asyncio.create_task(self._renew_forever(claim))
        chunks = asyncio.Queue[tuple[float, int, bytes]]()
        readers.add(Keys().session(claim.session).audio, chunks)
        count = 0
        try:
            while True:
                read_s, end, pcm16 = await chunks.get()
                count += 1
                if count % EVERY_CHUNKS == 0:
                    await self._book.emit(claim, count, _saying(end, pcm16, read_s))
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew_forever(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 4)
            await self._book.renew(claim)


class _Group:
    """One read for the audio of several sessions: a worker's own read for each would cost more here than all
    that is to be measured."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client
        self._after: dict[str, str] = {}
        self._to: dict[str, asyncio.Queue[tuple[float, int, bytes]]] = {}

    def __len__(self) -> int:
        return len(self._to)

    def add(self, key: str, chunks: asyncio.Queue[tuple[float, int, bytes]]) -> None:
        """Read a session's audio too, from the next read on."""
        self._after[key], self._to[key] = "0-0", chunks

    async def read_forever(self) -> None:
        """Until cancelled."""
        while True:
            if not self._after:
                await asyncio.sleep(0.1)
                continue
            block_ms = _BLOCK_MS if len(self) >= _GROUP else 50
            streams: dict[Any, Any] = dict(self._after)
            reply: Any = await self._client.xread(streams, _READ_COUNT, block=block_ms)
            read_s = time.monotonic()
            for name, batches in dict(reply or {}).items():
                key = name.decode()
                for entry, fields in batches[0] if isinstance(batches[0], list) else batches:
                    self._after[key] = entry.decode()
                    if b"d" in fields:
                        self._to[key].put_nowait((read_s, int(entry.split(b"-")[0]), fields[b"d"]))


def _saying(end: int, pcm16: bytes, read_s: float) -> Saying:
    (sent_s,) = STAMP.unpack_from(pcm16)
    text = f"{sent_s} {read_s} {time.monotonic()}"
    partial = Partial(utterance=0, text=text, start=0.0, end=0.0, committed=0, offset=0)
    # Covered, so that Redis keeps no more audio than it does behind a worker that decides.
    return Saying([partial], end - 5 * 16_000 if end > 5 * 16_000 else None)


async def _run(url: str) -> None:
    client = connect(url)
    try:
        await Echo(client).run()
    finally:
        await client.aclose()


def main() -> None:
    """Until interrupted."""
    parser = argparse.ArgumentParser(description="Answer audio with times.")
    parser.add_argument("url", help="of Redis")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args().url))


if __name__ == "__main__":
    main()
