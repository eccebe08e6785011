"""Speech decoded by a Steno service: no model is in this process."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Self

from assistant.settings import AssistantSettings
from client import LiveSession, StreamOptions, connect

_INTERVAL_MS_PER_S = 1000


class RemoteSpeech:
    """See `assistant.speech.Speech`. Every session is a connection of the SDK's, which comes back by itself
    when it is lost."""

    def __init__(self, settings: AssistantSettings) -> None:
        self._settings = settings
        self._model = ""
        self._connections: set[AsyncExitStack] = set()

    @property
    def name(self) -> str:
        """The service, and the model that it named."""
        return f"{self._model or 'a model'} at {self._settings.url}"

    @property
    def chunk_s(self) -> float | None:
        """What was set; None where the service chooses."""
        return self._settings.chunk_s or None

    async def open(self) -> Self:
        """See that the service answers, and takes sessions. Raises `ConnectionLost`, or what the service said
        against it."""
        async with self.connect(StreamOptions(language=self._settings.language)) as session:
            self._model = session.ready.model
            await session.end()
            async for _ in session:
                pass
        return self

    @asynccontextmanager
    async def connect(self, options: StreamOptions, *, in_step: bool = False) -> AsyncGenerator[LiveSession]:
        """See `Speech`."""
        if self._settings.chunk_s and options.partial_interval_ms is None:
            interval_ms = round(self._settings.chunk_s * _INTERVAL_MS_PER_S)
            options = replace(options, partial_interval_ms=interval_ms)
        async with AsyncExitStack() as connection:
            opening = connect(self._settings.url, api_key=self._settings.api_key, options=options)
            session = await connection.enter_async_context(opening)
            self._connections.add(connection)
            try:
                yield session
            finally:
                self._connections.discard(connection)

    async def close(self) -> None:
        """End all sessions: their iteration is over."""
        for connection in list(self._connections):
            await connection.aclose()
