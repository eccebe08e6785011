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
from typing import Final

from shared.events import Partial
from shared.redis.connection import AsyncRedis, connect
from shared.redis.keys import Keys
from shared.redis.leases import Chunk, Claim, LeaseBook, Load, Saying, SetAside
from shared.redis.presence import HEARTBEAT_S, Presence, WorkerPresence

STAMP: Final = struct.Struct("<d")
"""A time in seconds, in the place of a chunk's first four samples."""
EVERY_CHUNKS: Final = 5
"""Chunks for which there is one partial: every half second, as the service does it."""
LEASE_S: Final = 20.0
_BLOCK_MS: Final = 1000
_CAPACITY: Final = 4096


class Echo:
    """All sessions of the process."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client
        self._name = f"echo-{uuid.uuid4().hex[:8]}"
        self._book = LeaseBook(client, Keys(), consumer=self._name, lease_s=LEASE_S)
        self._sessions: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        await self._book.ensure_groups()
        beat = asyncio.create_task(self._beat_forever())
        try:
            while True:
                load = Load(len(self._sessions), _CAPACITY)
                claim = await self._book.next_session(0, block_ms=_BLOCK_MS, load=load)
                if claim is not None and not isinstance(claim, SetAside):
                    task = asyncio.create_task(self._answer(claim))
                    self._sessions.add(task)
                    task.add_done_callback(self._sessions.discard)
        finally:
            beat.cancel()
            for task in self._sessions:
                task.cancel()
            await asyncio.gather(beat, *self._sessions, return_exceptions=True)

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

    async def _answer(self, claim: Claim) -> None:
        renewing = asyncio.create_task(self._renew_forever(claim))
        after, chunks, writes = "0-0", 0, 0
        try:
            while True:
                after, items = await self._book.read_audio(claim, after, block_ms=_BLOCK_MS)
                read_s = time.monotonic()
                for item in items:
                    if not isinstance(item, Chunk):
                        continue
                    chunks += 1
                    if chunks % EVERY_CHUNKS == 0:
                        writes += 1
                        await self._book.emit(claim, writes, _saying(item, read_s))
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew_forever(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 4)
            await self._book.renew(claim)


def _saying(chunk: Chunk, read_s: float) -> Saying:
    (sent_s,) = STAMP.unpack_from(chunk.pcm16)
    text = f"{sent_s} {read_s} {time.monotonic()}"
    partial = Partial(utterance=0, text=text, start=0.0, end=0.0, committed=0, offset=0)
    # Covered, so that Redis keeps no more audio than it does behind a worker that decides.
    return Saying([partial], chunk.end - 5 * 16_000 if chunk.end > 5 * 16_000 else None)


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
