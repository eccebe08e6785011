"""A live session that runs on another event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from assistant.speech import Live
from client.incoming import LiveTranscript
from shared.events import Event

T = TypeVar("T")


class Run(Protocol):
    """Runs what is called on the session's event loop, and waits for it on the caller's."""

    def __call__(self, work: Callable[[], Coroutine[Any, Any, T]], /) -> Awaitable[T]: ...


class Elsewhere:
    """See `assistant.speech.Live`."""

    def __init__(self, session: Live, run: Run) -> None:
        self._session = session
        self._run = run

    @property
    def transcript(self) -> LiveTranscript:
        """See `Live`."""
        return self._session.transcript

    async def send(self, audio: bytes) -> None:
        """See `Live`."""
        await self._run(lambda: self._session.send(audio))

    async def finalize(self, id: str = "") -> int:
        """See `Live`."""
        return await self._run(lambda: self._session.finalize(id))

    async def end(self) -> None:
        """See `Live`."""
        await self._run(self._session.end)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """See `Live`."""
        event = await self._run(lambda: _next(self._session))
        if event is None:
            raise StopAsyncIteration
        return event


async def _next(session: Live) -> Event | None:
    """A coroutine must not raise `StopAsyncIteration` across a future."""
    return await anext(session, None)
