"""A live session: audio up, events down, over one WebSocket after another.

    async with connect(options=StreamOptions(language="en")) as session:
        sending = asyncio.create_task(send_all(session))     # await session.send(...); await session.end()
        async for event in session:
            print(session.transcript.text)

A connection that is lost is replaced: the session goes on with the next event and the first sample that the
server lacks. Send and read at the same time: a client that only sends is stopped once much was said that
it has not read.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from client.credentials import key_headers
from client.dialing import dial
from client.errors import BadReply, SessionOver, TimedOut
from client.incoming import LiveTranscript
from client.keeper import Keeper
from client.options import DEFAULT_URL, StreamOptions
from client.resuming import ConnectionChange, Resume
from client.sockets import Dial
from shared.events import Event, Ready

_FLUSH_S_MAX: Final = 5.0


class LiveSession:
    """One session, as `connect` gives it. Iterate over it for its events.

    Iteration ends after `closed`. Every event comes once and in order, whatever connections are lost; of
    partials at least the last. It raises what the server said in `error`, `ResumeFailed`, or
    `ConnectionLost`; finals received before that stay valid. One task may send while another iterates.
    """

    def __init__(self, keeper: Keeper, options: StreamOptions, resume: Resume) -> None:
        self.options = options
        """What was asked for."""
        self._keeper = keeper
        self._unacked_bytes_max = round(resume.buffer_s * options.bytes_per_s)
        self._is_ended = False
        self.last_seq = 0
        """Number of the last event that iteration gave."""
        self.transcript = LiveTranscript()
        """The text as of that event."""

    @property
    def ready(self) -> Ready:
        """What the server said when it opened the session: its id, token and limits."""
        assert self._keeper.ready is not None
        return self._keeper.ready

    async def send(self, audio: bytes) -> None:
        """Send the next bytes of audio, any number, in the format of the session's options.

        Waits while more audio than `Resume.buffer_s` has not arrived: the server is behind, or there is no
        connection. Raises the session's error if it has one, and `SessionOver` after its end. Cancelling may
        leave a part sent: do not go on with the session then.
        """
        if self._is_ended:
            raise SessionOver("this session's audio has ended; open a new session for more")
        limit = self.ready.limits.message_bytes_max
        for start in range(0, len(audio), limit):
            await self._keeper.room(self._unacked_bytes_max)
            self._raise_if_over()
            self._keeper.outgoing.audio(audio[start : start + limit])
            self._keeper.wake()
            # Without this, one who sends a file in a loop would keep all else on the event loop from running.
            await asyncio.sleep(0)

    async def finalize(self, id: str = "") -> int:
        """Ask for the final of what was sent so far, without waiting for a pause. The session goes on.

        Returns which `finalize` of the session this is. `Finalized` with that number, and with `id` (at most
        64 characters), comes when all that was said before has its final.
        """
        self._raise_if_over()
        number = self._keeper.outgoing.finalize(id)
        self._keeper.wake()
        return number

    async def end(self) -> None:
        """Say that there is no more audio. The last finals follow, then `closed`. A second call does
        nothing."""
        if self._is_ended:
            return
        self._is_ended = True
        self._raise_if_over()
        self._keeper.outgoing.end()
        self._keeper.wake()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """The next event. Cancelling loses nothing."""
        received = await self._keeper.inbox.take()
        if received is None:
            raise self._keeper.failure or StopAsyncIteration
        self.last_seq = received.seq
        self.transcript = self.transcript.after(received.event)
        return received.event

    def _raise_if_over(self) -> None:
        if self._keeper.is_over:
            raise self._keeper.failure or SessionOver("the session is over; open a new one for more audio")


@asynccontextmanager
async def connect(
    url: str = DEFAULT_URL,
    *,
    api_key: str | None = None,
    options: StreamOptions | None = None,
    open_s: float = 30.0,
    resume: Resume | None = None,
    on_connection: Callable[[ConnectionChange], object] | None = None,
    dial: Dial = dial,
) -> AsyncGenerator[LiveSession, None]:
    """A live session at the server behind `url`, open and ready for audio.

    `api_key` is by default what `STENO_API_KEY` holds. `open_s` bounds the wait for the connection and for
    `ready`. `on_connection` is called when a connection is lost, and when the session has one again. `dial`
    opens the connections; by default with the library `websockets`. Raises
    `ConnectionLost`, `TimedOut`, or what the server said against it (`Unauthorized`, `BadParameter`,
    `NoCapacity`, …). Leaving the block closes the connection; a session that was not ended is ended, and what
    it still had to say is lost.
    """
    options, resume = options or StreamOptions(), resume or Resume()
    keeper = Keeper(
        url,
        options,
        resume,
        on_connection or (lambda _change: None),
        headers=key_headers(api_key),
        dial=dial,
    )
    session = LiveSession(keeper, options, resume)
    running = asyncio.create_task(keeper.run(), name="live-session")
    try:
        try:
            async with asyncio.timeout(open_s):
                await keeper.inbox.wait()
        except TimeoutError:
            raise TimedOut(f"no answer from {url} within {open_s:g} s; try again") from None
        if keeper.ready is None:
            raise keeper.failure or BadReply("the session was over before it began")
        yield session
    finally:
        if keeper.ready is not None and not keeper.is_over:
            await session.end()  # the server is told, so that it need not wait for a return
        await keeper.close(running, _FLUSH_S_MAX if keeper.ready else 0.0)
