"""A connection and what is read from the log for it: at the client's pace, unless it has none."""

import asyncio
from typing import cast

import pytest
from fastapi import WebSocket

from api.connection import Connection
from api.outbox import SLOW_FROM
from shared.errors import MustResume
from tests.support.wire import final

pytestmark = pytest.mark.anyio


class Socket:
    """A client that reads so many messages, and then no more."""

    def __init__(self, reads: int) -> None:
        self._room = asyncio.Semaphore(reads)
        self.texts: list[str] = []

    async def send_text(self, text: str) -> None:
        await self._room.acquire()
        self.texts.append(text)


def connection(socket: Socket, *, stalled_s: float) -> Connection:
    return Connection(cast(WebSocket, socket), stalled_s=stalled_s)


async def replay(to: Connection, count: int) -> None:
    for seq in range(count):
        await to.room()
        to.push(seq, final("x"))
        await asyncio.sleep(0)  # reading the log takes its time too


async def test_a_client_that_reads_gets_the_log_however_long_it_is() -> None:
    socket = Socket(reads=SLOW_FROM * 20)
    to = connection(socket, stalled_s=60.0)
    writing = asyncio.create_task(to.write_forever())
    await replay(to, SLOW_FROM * 20)
    to.finish()
    await writing
    assert len(socket.texts) == SLOW_FROM * 20


async def test_one_that_reads_nothing_is_to_resume() -> None:
    socket = Socket(reads=3)
    to = connection(socket, stalled_s=0.05)
    writing = asyncio.create_task(to.write_forever())
    with pytest.raises(MustResume, match="does not read"):
        await replay(to, SLOW_FROM * 20)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert len(socket.texts) == 3
