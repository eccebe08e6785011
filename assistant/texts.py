"""The text of a live session so far, while its audio is being sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from contextlib import aclosing
from typing import Self

from assistant.speech import Live
from client.options import StreamOptions
from shared.events import Event
from shared.tasks import end_tasks


class Text(str):
    """A text so far; its first `committed` characters will not change any more."""

    committed: int

    def __new__(cls, text: str, committed: int) -> Self:
        made = super().__new__(cls, text)
        made.committed = committed
        return made


class Pulled:
    """Texts that are taken one by one, by calls that may be cancelled in between."""

    def __init__(self, texts: AsyncGenerator[Text]) -> None:
        self._texts = texts
        # A call that was cancelled may still be on its way out.
        self._lock = asyncio.Lock()

    async def next(self) -> Text | None:
        """The next; None behind the last."""
        async with self._lock:
            return await anext(self._texts, None)

    async def close(self) -> None:
        """End what makes them."""
        async with self._lock:
            await self._texts.aclose()


async def said(session: Live, chunks: AsyncIterable[bytes]) -> AsyncGenerator[Text]:
    """Send the chunks, and give the text whenever it is another one, or more of it is settled."""
    sending = asyncio.create_task(_send(session, chunks), name="send-audio")
    last = ("", 0)
    async with aclosing(events_of(session, sending)) as events:
        async for _ in events:
            transcript = session.transcript
            if (now := (transcript.text, transcript.committed)) != last:
                last = now
                yield Text(*now)


async def events_of(session: Live, sending: asyncio.Task[None]) -> AsyncGenerator[Event]:
    """A session's events, while a task sends its audio. Raises what that raises: it would never end."""
    coming = None
    try:
        while True:
            coming = asyncio.create_task(_next(session), name="next-event")
            awaited = [coming] if sending.done() else [coming, sending]
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            if (event := await coming) is None:
                return
            yield event
    finally:
        await end_tasks([sending, *([coming] if coming else [])])


async def _next(session: Live) -> Event | None:
    return await anext(session, None)


async def _send(session: Live, chunks: AsyncIterable[bytes]) -> None:
    async for chunk in chunks:
        await session.send(chunk)
    await session.end()


def cut(audio: bytes, options: StreamOptions, seconds: float) -> Generator[bytes]:
    frame_bytes = options.bytes_per_s // options.sample_rate
    step = round(seconds * options.sample_rate) * frame_bytes
    for start in range(0, len(audio), step):
        yield audio[start : start + step]
