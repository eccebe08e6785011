"""What turns speech into text for an application, wherever that happens: the shape that this process and a
service share. It is the SDK's."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from client.incoming import LiveTranscript
from client.options import StreamOptions
from shared.events import Event


class Live(Protocol):
    """A live session, as `client.connect` gives it: audio in, events out."""

    @property
    def transcript(self) -> LiveTranscript:
        """The text as of the last event that iteration gave."""
        ...

    async def send(self, audio: bytes) -> None:
        """The next bytes of audio, any number, in the format of the session's options. Waits while too much
        is undecided."""
        ...

    async def finalize(self, id: str = "") -> int:
        """Ask for the final of what was sent so far. `Finalized` with the number that this returns follows
        it."""
        ...

    async def end(self) -> None:
        """There is no more audio. The last finals follow, then iteration ends."""
        ...

    def __aiter__(self) -> AsyncIterator[Event]: ...

    async def __anext__(self) -> Event:
        """The next event. Cancelling loses nothing. Raises why the session failed."""
        ...


class Speech(Protocol):
    """Used from one event loop."""

    @property
    def name(self) -> str:
        """What decodes, and where: for logs."""
        ...

    @property
    def chunk_s(self) -> float | None:
        """New audio, in seconds, for which text is decoded again; None where that is not this process's to
        say."""
        ...

    async def open(self) -> Self:
        """Make it ready: what follows is as quick as it will be. Raises `StenoError`."""
        ...

    def connect(self, options: StreamOptions, *, in_step: bool = False) -> AbstractAsyncContextManager[Live]:
        """A live session. With `in_step`, `send` waits until what was sent is decoded, so that audio that is
        there already gives as many partials as if it were being spoken; only this process can do that."""
        ...

    async def close(self) -> None:
        """End what runs, and give the device back."""
        ...
