"""A network between two processes that a test can cut, slow down, silence, or lead elsewhere."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType

Target = Path | tuple[str, int]
"""A Unix socket, or a host and port."""


class Proxy:
    """Listens on a TCP port of this machine and passes bytes on to `target`, which may be changed."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.delay_s = 0.0
        """Added to every piece of data, in both directions."""
        self.silent = False
        """Data goes nowhere, as when cables are pulled: no side is told."""
        self.refusing = False
        """New connections are closed at once."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def redis_url(self) -> str:
        """Its address for a Redis client."""
        return f"redis://127.0.0.1:{self.port}"

    def lead_to(self, target: Target) -> None:
        """Cut all, and connect to another target from now on."""
        self.target = target
        self.cut()

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._open:
            writer.transport.abort()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="proxy")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self.refusing:
                return
            match self.target:
                case Path() as path:
                    far_reader, far_writer = await asyncio.open_unix_connection(str(path))
                case (host, port):
                    far_reader, far_writer = await asyncio.open_connection(host, port)
            self._open.add(far_writer)
            try:
                ways = [self._pass(reader, far_writer), self._pass(far_reader, writer)]
                tasks = [asyncio.create_task(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                self._open.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass  # the target is away
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if not self.silent:
                    writer.write(data)
                    await writer.drain()
