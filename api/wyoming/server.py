"""The Wyoming server: a TCP port whose connections are served like every other live surface."""

import asyncio
import contextlib
import logging
import socket
from typing import Final

from api.conversation import LAST_WORD_S, Gone, converse
from api.session_desk import SessionDesk
from api.wyoming.announcing import announced
from api.wyoming.catalog import Catalog
from api.wyoming.dialect import WyomingDialect
from api.wyoming.framing import Deframer, WyomingEvent, to_bytes
from shared.errors import BadMessage
from shared.tasks import end_tasks

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 512
"""Clients at once: one more is not let in."""
_READ_BYTES: Final = 64 * 1024


class TcpWire:
    """One client's connection. An event that can't be read ends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._deframer = Deframer()
        self._waiting: list[WyomingEvent] = []

    async def receive(self) -> WyomingEvent:
        """The next event. Cancelling loses none. Raises `Gone`."""
        while not self._waiting:
            try:
                data = await self._reader.read(_READ_BYTES)
                if not data:
                    raise Gone
                self._waiting.extend(self._deframer.push(data))
            except OSError:
                raise Gone from None
            except BadMessage as error:
                log.info("a Wyoming client sent what is no event: %s", error)
                raise Gone from None
        return self._waiting.pop(0)

    async def send(self, frame: WyomingEvent) -> None:
        """Write an event. Raises `Gone`."""
        try:
            self._writer.write(to_bytes(frame))
            await self._writer.drain()
        except OSError:
            raise Gone from None

    async def close(self, code: int, reason: str) -> None:
        """Close it; the protocol has neither codes nor reasons. Raises `Gone`."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            raise Gone from None

    def abort(self) -> None:
        """End it, whatever waits to be written."""
        self._writer.transport.abort()


class WyomingServer:
    """Serves a listening socket, which it closes. Run `run_forever` as a task."""

    def __init__(
        self,
        desk: SessionDesk,
        catalog: Catalog,
        listener: socket.socket,
        *,
        host: str = "",
        name: str = "",
        tenant: str = "",
    ) -> None:
        """`name` is announced on the network of `host`; see `announcing`. `tenant` is whose all sessions
        are."""
        self._desk = desk
        self._catalog = catalog
        self._listener = listener
        self._host, self._name = host, name
        self._tenant = tenant
        self._clients: set[asyncio.Task[None]] = set()

    async def run_forever(self) -> None:
        """Until cancelled; connections end then, and their sessions with them."""
        learning = asyncio.create_task(self._catalog.learn_forever(self._desk), name="wyoming-catalog")
        server = await asyncio.start_server(self._accept, sock=self._listener, limit=_READ_BYTES)
        try:
            port = int(self._listener.getsockname()[1])
            log.info("Wyoming listens", extra={"port": port})
            async with announced(self._name, self._host, port):
                await asyncio.Event().wait()
        finally:
            server.close()
            await end_tasks([learning, *self._clients])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= CONNECTIONS_MAX:
            log.warning("a Wyoming client was sent away: %d are here", CONNECTIONS_MAX)
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(TcpWire(reader, writer)), name="wyoming-client")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, wire: TcpWire) -> None:
        try:
            await converse(wire, WyomingDialect(self._catalog, tenant=self._tenant), self._desk)
        # Nobody waits for this task: without this a mistake would be found when it is collected.
        except Exception:
            log.exception("a Wyoming connection failed")
        finally:
            try:
                with contextlib.suppress(Gone, TimeoutError):
                    async with asyncio.timeout(LAST_WORD_S):
                        await wire.close(1000, "")
            finally:
                wire.abort()
