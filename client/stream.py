"""A live session: audio up, events down, over one WebSocket.

    async with connect(options=StreamOptions(language="en")) as session:
        sending = asyncio.create_task(send_all(session))     # await session.send(...); await session.end()
        async for event in session:
            print(session.transcript.text)

Send and read at the same time: a client that only sends is stopped by backpressure once the server has
said more than the socket holds.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from client.errors import BadReply, ConnectionLost, SessionOver, TimedOut, from_response, from_server
from client.incoming import LiveTranscript, Received, closed_early, parse
from client.options import DEFAULT_URL, StreamOptions, stream_address
from shared.errors import StenoError
from shared.events import Closed, Error, Event, Ready

_MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""Largest message taken from the server. The final of the longest utterance with words is under 100 kB."""
_CLOSE_S_MAX: Final = 5.0


class LiveSession:
    """One session, as `connect` gives it. Iterate over it for its events.

    Iteration ends after `closed`. It raises what the server said in `error`, or `ConnectionLost`; finals
    received before that stay valid. One task may send while another iterates.
    """

    def __init__(self, socket: ClientConnection, options: StreamOptions) -> None:
        self.options = options
        """What was asked for."""
        self._socket = socket
        self._unread: deque[Received] = deque()  # bounded by what the closed socket held; see _why_closed
        self._receiving = asyncio.Lock()
        self._failure: StenoError | None = None
        self._is_over = False
        self._is_ended = False
        self._ready: Ready | None = None
        self.last_seq = 0
        """Number of the last event that iteration gave."""
        self.transcript = LiveTranscript()
        """The text as of that event."""

    @property
    def ready(self) -> Ready:
        """What the server said when it opened the session: its id, token and limits."""
        assert self._ready is not None
        return self._ready

    async def send(self, audio: bytes) -> None:
        """Send the next bytes of audio, any number, in the format of the session's options.

        Waits while the network is slower than the audio. Raises the session's error if it has one, and
        `SessionOver` after its end. Cancelling may leave a part sent: do not go on with the session then.
        """
        if self._is_ended:
            raise SessionOver("this session's audio has ended; open a new session for more")
        limit = self.ready.limits.message_bytes_max
        for start in range(0, len(audio), limit):
            await self._send(audio[start : start + limit])
            # Sending into a fast network never waits: without this, one who sends a file in a loop would
            # keep all else on the event loop from running, the reading of events first.
            await asyncio.sleep(0)

    async def finalize(self) -> None:
        """Ask for the final of what was sent so far, without waiting for a pause. The session goes on."""
        await self._send(json.dumps({"type": "finalize"}))

    async def end(self) -> None:
        """Say that there is no more audio. The last finals follow, then `closed`. A second call does
        nothing."""
        if not self._is_ended:
            self._is_ended = True
            await self._send(json.dumps({"type": "end"}))

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """The next event. Cancelling loses nothing."""
        await self._fill()
        if not self._unread:
            raise self._failure or StopAsyncIteration
        received = self._unread.popleft()
        self.last_seq = received.seq
        self.transcript = self.transcript.after(received.event)
        return received.event

    async def open(self) -> None:
        """Wait for `ready`, which stays in the iteration too. `connect` has done it."""
        await self._fill()
        if not self._unread:
            raise self._failure or BadReply("the session was over before it began")
        first = self._unread[0].event
        if not isinstance(first, Ready):
            raise BadReply(f"the server began with `{first.type}`, not with `ready`")
        self._ready = first

    async def close(self) -> None:
        """Close the connection. A session that was not ended is ended, and what it still had to say is
        lost. Leaving `connect` does it."""
        if not self._is_over:
            with suppress(StenoError):  # the server is told, so that it need not wait for a return
                await self.end()
        await self._socket.close()

    async def _send(self, message: str | bytes) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            raise await self._why_closed() from None

    async def _why_closed(self) -> StenoError:
        """Read what the server said before it closed, and keep it for the iteration."""
        async with self._receiving:
            while not self._is_over:
                await self._receive()
        return self._failure or SessionOver("the session is over; open a new one for more audio")

    async def _fill(self) -> None:
        while not self._unread and not self._is_over:
            async with self._receiving:
                if not self._unread and not self._is_over:
                    await self._receive()

    async def _receive(self) -> None:
        try:
            received = parse(await self._socket.recv())
        except ConnectionClosed as closed:
            frame = closed.rcvd or closed.sent
            self._fail(closed_early(frame.code if frame else 1006, frame.reason if frame else ""))
        except BadReply as error:
            self._fail(error)
        else:
            if received is not None:
                self._take(received)

    def _take(self, received: Received) -> None:
        event = received.event
        if isinstance(event, Error):
            retry_after_s = event.retry_after_s
            self._fail(
                from_server(event.code, event.message, retryable=event.retryable, retry_after_s=retry_after_s)
            )
        else:
            self._unread.append(received)
            self._is_over = isinstance(event, Closed)

    def _fail(self, error: StenoError) -> None:
        self._failure = error
        self._is_over = True


@asynccontextmanager
async def connect(
    url: str = DEFAULT_URL, *, options: StreamOptions | None = None, open_s: float = 30.0
) -> AsyncGenerator[LiveSession, None]:
    """A live session at the server behind `url`, open and ready for audio.

    `open_s` bounds the wait for the connection and for `ready`. Raises `ConnectionLost`, `TimedOut`, or
    what the server said against it (`BadParameter`, `NoCapacity`, …). Leaving the block closes the
    session; see `LiveSession.close`.
    """
    options = options or StreamOptions()
    address = stream_address(url, options)
    try:
        async with asyncio.timeout(open_s):
            session = LiveSession(await _open_socket(address), options)
            try:
                await session.open()
            except BaseException:
                await session.close()
                raise
    except TimeoutError:
        raise TimedOut(f"no answer from {url} within {open_s:g} s; try again") from None
    try:
        yield session
    finally:
        await session.close()


async def _open_socket(address: str) -> ClientConnection:
    server = address.partition("?")[0]  # the query may hold a prompt, which is no one else's to see
    try:
        return await open_socket(
            address,
            compression=None,  # audio does not shrink; it would only cost time on both sides
            max_size=_MESSAGE_BYTES_MAX,
            open_timeout=None,  # the caller has one for the whole opening
            close_timeout=_CLOSE_S_MAX,
        )
    except InvalidStatus as refusal:
        reply = refusal.response
        retry_after = reply.headers.get("Retry-After")
        raise from_response(reply.status_code, bytes(reply.body or b""), retry_after=retry_after) from None
    except InvalidHandshake:
        raise BadReply(f"{server} does not speak WebSocket; is this a Steno server?") from None
    except OSError as error:
        raise ConnectionLost(
            f"can't connect to {server} ({error.strerror or error}); is it running?"
        ) from None
