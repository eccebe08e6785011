"""Keeps the embedded server running under a supervisor, and on its guard's list."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.guard import Guard
from shared.redis.embedded import EmbeddedServer

_log = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 0.2


class ServerKeeper:
    """The embedded server, started again when it dies. `url` stays the same."""

    def __init__(self, data_dir: Path, guard: Guard) -> None:
        self._server = EmbeddedServer(data_dir)
        self._guard = guard
        self._listed: int | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Address for clients."""
        return self._server.url

    @property
    def pid(self) -> int:
        """Process id of the server that was started last."""
        assert self._listed is not None, "not started"
        return self._listed

    async def start(self) -> None:
        """Start and wait until commands are answered. Raises `BrokerLost`."""
        await _in_thread(self._server.start)
        self._list()
        self._watching = asyncio.create_task(self._keep_forever(), name="embedded server")

    async def watch_forever(self) -> None:
        """Raises `BrokerLost` when the server died and does not start again."""
        assert self._watching is not None, "not started"
        await asyncio.shield(self._watching)

    async def stop(self) -> None:
        """Stop the server, its data written. Idempotent."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        await _in_thread(self._server.stop)
        self._unlist()

    async def _keep_forever(self) -> None:
        while True:
            while (status := self._server.poll()) is None:  # noqa: ASYNC110 - the fact is in another process
                await asyncio.sleep(_LOOK_EVERY_S)
            # The others connect again by themselves, so they are left alone.
            _log.warning("the embedded server ended with status %d; starting it again", status)
            self._unlist()
            await _in_thread(self._server.restart)
            self._list()

    def _list(self) -> None:
        if (pid := self._server.pid) is not None:
            self._guard.add(pid, last=True)
            self._listed = pid

    def _unlist(self) -> None:
        if self._listed is not None:
            self._guard.remove(self._listed)


async def _in_thread(call: Callable[[], None]) -> None:
    """Run `call` to its end even when cancelled: a thread goes on, and what it starts must be known."""
    working = asyncio.create_task(asyncio.to_thread(call))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
