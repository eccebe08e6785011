"""Keeps a live session connected: writes what is to be sent, receives what is said, and resumes the session
on a new connection when one is lost."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from typing import Final

from client.dialing import dial
from client.errors import BadReply, ConnectionLost, ResumeFailed, TimedOut, from_server
from client.inbox import Inbox
from client.incoming import Received
from client.options import StreamOptions, resume_address, stream_address
from client.resend import ResendBuffer, Wish
from client.resuming import RESUMABLE, ConnectionChange, Resume
from client.sockets import Dial, Socket, SocketClosed, receive
from shared.errors import BrokerLost, StenoError
from shared.events import ACK_S, Ack, Closed, Error, Ready

_ATTEMPT_S_MAX: Final = 10.0
_SILENCE_S_MAX: Final = 3.0 * ACK_S
"""How long a server that acknowledges audio may say nothing. Well under the time that it waits for a client,
so that a session is resumed though its edge was lost without a word."""
_UNOPENED_BYTES_MAX: Final = 64 * 1024
"""Largest message before the server has said what it takes."""


class Keeper:
    """One session's connections, one after another. `run` is to be a task; it ends with the session."""

    def __init__(
        self,
        url: str,
        options: StreamOptions,
        resume: Resume,
        on_change: Callable[[ConnectionChange], object],
        *,
        headers: Mapping[str, str] | None = None,
        dial: Dial = dial,
    ) -> None:
        """`headers` are sent with each connection, which `dial` opens."""
        self._url = url
        self._options = options
        self._resume = resume
        self._on_change = on_change
        self._headers = headers
        self._dial = dial
        self._chance = random.Random()
        self._socket: Socket | None = None
        self._silence_s_max: float | None = None
        self._heard = 0
        """Number of the last event received."""
        self.outgoing = ResendBuffer(
            frame_bytes=options.bytes_per_s // options.sample_rate,
            bytes_per_s=options.bytes_per_s,
            is_kept=resume.limit_s > 0,
        )
        self.inbox = Inbox()
        self.ready: Ready | None = None
        """What the server said when it opened the session."""
        self.failure: Exception | None = None
        self.is_over = False
        self._to_write = asyncio.Event()
        self._room = asyncio.Event()
        self._written = asyncio.Event()

    async def run(self) -> None:
        """Until the session is over, or lost: then `failure` says why."""
        try:
            address = stream_address(self._url, self._options, acks=self._resume.limit_s > 0)
            self._socket = await self._dial(address, self._headers)
            while (lost := await self._talk(self._socket)) is not None:
                self._socket = await self._reconnect(lost)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the session is used
            self.failure = error
        finally:
            self.is_over = True
            self.inbox.close()
            for waiting in (self._room, self._written):
                waiting.set()

    def wake(self) -> None:
        """Something was put to `outgoing`."""
        self._written.clear()
        self._to_write.set()

    async def room(self, unacked_bytes_max: int) -> None:
        """Wait until less audio than that waits for the server's word, or the session is over."""
        while self.outgoing.unacked_bytes >= unacked_bytes_max and not self.is_over:
            self._room.clear()
            await self._room.wait()

    async def close(self, task: asyncio.Task[None], flush_s: float) -> None:
        """End `run`'s task and the connection, all written if there is one and it takes no longer."""
        try:
            if self._socket is not None and self._socket.is_open:
                async with asyncio.timeout(flush_s):
                    await self._written.wait()
        except TimeoutError:
            pass
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._socket is not None:
                await self._socket.close()

    async def _talk(self, socket: Socket) -> StenoError | None:
        """Serve one connection. Returns why it was lost; None when the session is over. Raises its error."""
        writing = asyncio.create_task(self._write_forever(socket), name="writing")
        try:
            while True:
                async with asyncio.timeout(self._silence_s_max):
                    received = await receive(socket)
                if received is not None and await self._take(received):
                    return None
        except TimeoutError:
            socket.abort()
            return ConnectionLost(f"the server said nothing for {_SILENCE_S_MAX:g} s")
        except SocketClosed as closed:
            if self.ready is None or closed.code not in RESUMABLE or not self._resume.limit_s:
                raise closed.error from None
            return closed.error
        except BrokerLost as error:
            if self.ready is None or not self._resume.limit_s:
                raise
            socket.abort()
            return error
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _take(self, received: Received) -> bool:
        """Take what the server says. Returns whether it was the last. Raises what it says in `error`."""
        event = received.event
        if isinstance(event, Ack):
            self._silence_s_max = _SILENCE_S_MAX
            self.outgoing.acked(event.sample, event.finalized)
            self._room.set()
            return False
        if isinstance(event, Error):
            raise _said(event)
        if self.ready is None:
            if not isinstance(event, Ready):
                raise BadReply(f"the server began with `{event.type}`, not with `ready`")
            self.ready = event
            self._to_write.set()
        if received.seq > self._heard:
            self._heard = received.seq
            await self.inbox.put(received)
        return isinstance(event, Closed)

    async def _write_forever(self, socket: Socket) -> None:
        while True:
            self._to_write.clear()
            bytes_max = self.ready.limits.message_bytes_max if self.ready else _UNOPENED_BYTES_MAX
            try:
                while (due := self.outgoing.next(bytes_max)) is not None:
                    await socket.send(due if isinstance(due, bytes) else _to_text(due))
            except SocketClosed:
                return  # the receiver learns why
            self._written.set()
            self._room.set()  # without a resume, what is written needs no more room
            await self._to_write.wait()

    async def _reconnect(self, lost: StenoError) -> Socket:
        """A new connection of the session, with all that the server lacks due to be written. Raises
        `ResumeFailed`."""
        clock = asyncio.get_running_loop().time
        since = clock()
        self._on_change(ConnectionChange(is_up=False, reason=str(lost)))
        latest: StenoError = lost
        for attempt, delay_s in enumerate(self._resume.delays_s(self._chance), 1):
            wait_s = max(delay_s, latest.retry_after_s or 0.0)
            if clock() - since + wait_s > self._resume.limit_s:
                raise ResumeFailed(
                    f"{lost}; not resumed within {self._resume.limit_s:g} s: {latest}"
                ) from latest
            await asyncio.sleep(wait_s)
            try:
                socket = await self._attempt()
            except StenoError as error:
                if not error.retryable:
                    raise ResumeFailed(f"{lost}; the session can't be resumed: {error}") from error
                latest = error
                continue
            down_s = clock() - since
            self._on_change(ConnectionChange(is_up=True, reason=str(lost), attempts=attempt, down_s=down_s))
            return socket
        raise AssertionError("delays have no end")

    async def _attempt(self) -> Socket:
        assert self.ready is not None
        address = resume_address(self._url, self.ready.session, self.ready.token, self._heard)
        try:
            async with asyncio.timeout(_ATTEMPT_S_MAX):
                socket = await self._dial(address, self._headers)
                try:
                    self._go_on(await receive(socket))
                except BaseException:  # cancellation too: the socket is nobody's yet
                    await socket.close()
                    raise
        except TimeoutError:
            raise TimedOut(f"no answer within {_ATTEMPT_S_MAX:g} s") from None
        except SocketClosed as closed:
            raise closed.error from None
        return socket

    def _go_on(self, received: Received | None) -> None:
        """Take the first message of a connection that resumes."""
        event = received.event if received else None
        if isinstance(event, Error):
            raise _said(event)
        if not isinstance(event, Ready) or event.resumed is None:
            raise BadReply("the server does not resume sessions")
        resumed = event.resumed
        try:
            self.outgoing.rewind(resumed.sample, resumed.finalized, ended=resumed.ended)
        except LookupError as error:
            raise BadReply(f"the server asks for more than was kept: {error}") from None
        self._written.clear()
        self._room.set()


def _to_text(wish: Wish) -> str:
    return json.dumps({"type": wish.kind, "id": wish.id} if wish.id else {"type": wish.kind})


def _said(event: Error) -> StenoError:
    return from_server(
        event.code, event.message, retryable=event.retryable, retry_after_s=event.retry_after_s
    )
