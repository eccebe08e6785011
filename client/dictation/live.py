"""The session of a run: sends what the microphone gives, and tells the core what the server says."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from client.dialing import dial
from client.dictation.core.moves import Down, Guessed, Input, Opened, Over, Said, SpeechBegan, Up, Warned
from client.dictation.core.recording import Recording
from client.dictation.core.target import Target
from client.errors import SessionOver
from client.options import StreamOptions
from client.resuming import ConnectionChange
from client.sockets import Dial
from client.stream import LiveSession, connect
from shared.errors import StenoError
from shared.events import Closed, Event, Final, Partial, SpeechStart, Warning


class Live:
    """Runs one session after another, on one event loop. `tell` gets what happens."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        options: StreamOptions,
        recording: Recording,
        tell: Callable[[Input], None],
        *,
        target: Callable[[], Awaitable[Target]] | None = None,
        dial: Dial = dial,
    ) -> None:
        """`target` is asked where the focus is when an utterance begins, if that counts."""
        self._url, self._key, self._options = url, api_key, options
        self._recording = recording
        self._tell = tell
        self._target = target
        self._dial = dial
        self._news = asyncio.Event()
        self._is_ended = False
        self._session_id = ""

    @property
    def session_id(self) -> str:
        """The server's name of the last session."""
        return self._session_id

    def begin(self) -> None:
        """A session is to be run: more is to come."""
        self._is_ended = False

    def wake(self) -> None:
        """There is more in the recording."""
        self._news.set()

    def end(self) -> None:
        """There will be no more: the session is to be ended when all is sent."""
        self._is_ended = True
        self._news.set()

    async def run(self, run: int, after_s: float) -> None:
        """One session, to its end. Cancelling drops it."""
        await asyncio.sleep(after_s)
        try:
            await self._follow(run)
            problem, is_retryable = "", False
        except StenoError as error:
            problem, is_retryable = str(error), error.retryable
        except ExceptionGroup:  # a fault in the code here; what it says may hold text
            problem, is_retryable = "the session failed", True
        self._tell(Over(run, problem, is_retryable))

    async def _follow(self, run: int) -> None:
        def note(change: ConnectionChange) -> None:
            self._tell(Up(run) if change.is_up else Down(run, change.reason))

        opening = connect(
            self._url, api_key=self._key, options=self._options, on_connection=note, dial=self._dial
        )
        async with opening as session:
            self._session_id = session.ready.session
            self._recording.begin_session()
            self._tell(Opened(run))
            sending = asyncio.create_task(self._send(session), name="dictation-sending")
            try:
                async for event in session:
                    await self._take(run, event)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, session: LiveSession) -> None:
        with contextlib.suppress(SessionOver):  # the one who reads sees why
            while True:
                self._news.clear()
                is_ended = self._is_ended
                if audio := self._recording.due():
                    await session.send(audio)
                if is_ended:
                    await session.end()
                    return
                await self._news.wait()

    async def _take(self, run: int, event: Event) -> None:
        match event:
            case SpeechStart():
                target = await self._target() if self._target else Target()
                self._tell(SpeechBegan(run, event.utterance, target))
            case Partial():
                self._tell(Guessed(run, event.text))
            case Final():
                self._recording.cover(event.covered)
                self._tell(Said(run, event))
            case Warning():
                self._tell(Warned(run, event.message))
            case Closed():
                self._recording.cover(event.duration)
            case _:
                pass
