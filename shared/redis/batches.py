"""Scripts that are asked for at the same time, sent together.

What a command costs is mostly Python around it: a connection from the pool, a write, a wait, a read. An edge
with hundreds of sessions that talk appends thousands of chunks a second; sent in one piece they share that.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import NoScriptError, ResponseError

from shared.redis.connection import AsyncRedis, is_not_now
from shared.redis.scripts import Scripts, refusal

_BATCH_MAX: Final = 64
"""Scripts in a batch: what comes behind them waits for all."""
_BATCHES_MAX: Final = 4
"""Batches on their way at once, each on a connection of its own, so that one that hangs does not hold up
all."""
_PATIENCE_S: Final = 0.005
"""While a batch is on its way, what is asked for waits for its answer and makes the next batch: the slower
Redis, the larger they are, and the less each script costs. An answer that takes longer than this is not
waited for."""


@dataclass(slots=True)
class _Asked:
    name: str
    keys: list[str]
    args: list[Any]
    reply: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batches:
    """Runs scripts on one client. Those of one caller run in the order in which it awaits them."""

    def __init__(self, client: AsyncRedis, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        # No more wait here than there are callers, and each waits for one.
        self._waiting: deque[_Asked] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._is_due = False
        self._patience: asyncio.TimerHandle | None = None

    async def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """As `Scripts.run`, and raises the same. Cancelling leaves open whether the script has run."""
        if self._scripts.sharded:  # the scripts of a batch would go to different nodes
            return await self._scripts.run(name, keys, args)
        asked = _Asked(name, keys, args)
        self._waiting.append(asked)
        self._soon()
        reply = await asked.reply
        if isinstance(reply, NoScriptError) or (isinstance(reply, ResponseError) and is_not_now(reply)):
            # It did nothing; alone it is loaded, or tried again on a new connection.
            return await self._scripts.run(name, keys, args)
        if isinstance(reply, ResponseError):
            raise refusal(reply)
        return reply

    def _soon(self) -> None:
        """Send when the event loop has come round, for by then others may have asked as well; or when the
        batch before is answered."""
        if self._is_due or not self._waiting or len(self._sending) >= _BATCHES_MAX:
            return
        loop = asyncio.get_running_loop()
        if not self._sending or len(self._waiting) >= _BATCH_MAX:
            self._is_due = True
            loop.call_soon(self._start)
        elif self._patience is None:
            self._patience = loop.call_later(_PATIENCE_S, self._start)

    def _start(self) -> None:
        self._is_due = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        batch = [self._waiting.popleft() for _ in range(min(_BATCH_MAX, len(self._waiting)))]
        if not batch:  # its callers were all in the batch before
            return
        task = asyncio.create_task(self._send(batch), name="batch")
        self._sending.add(task)
        task.add_done_callback(self._sent)
        self._soon()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._soon()

    async def _send(self, batch: list[_Asked]) -> None:
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for asked in batch:
                    pipe.evalsha(self._scripts.sha(asked.name), len(asked.keys), *asked.keys, *asked.args)
                replies = await pipe.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the script was asked for
            for asked in batch:
                if not asked.reply.done():
                    asked.reply.set_exception(error)
            return
        for asked, reply in zip(batch, replies, strict=True):
            if not asked.reply.done():
                asked.reply.set_result(reply)
