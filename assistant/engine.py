"""One object that hears: for voice assistants, and wherever FastRTC takes an `STTModel`.

    engine = STTEngine()              # STT_BACKEND says where: in this process, or at a Steno service
    engine.stt((48_000, samples))     # a whole utterance to its text
    for text in engine.stream(chunks):
        print(text)                   # the text so far, while the audio comes

Everything runs on an event loop of the engine's own, on a thread: methods may be called from any thread and
any event loop, and by many at once. Their decodes share one device as the sessions of a worker do.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from assistant.audio import Audio, to_pcm16
from assistant.elsewhere import Elsewhere
from assistant.settings import AssistantSettings, load_assistant_settings
from assistant.speech import Live, Speech
from assistant.texts import Pulled, Text, cut, events_of, said
from client.errors import SessionOver
from client.options import StreamOptions
from client.sources import Feed, Source

log = logging.getLogger(__name__)
T = TypeVar("T")

_CHUNK_S: Final = 0.5
"""Pieces in which audio that is there already is given to a backend that has no interval of its own."""
_CLOSED: Final = "the engine is closed"
_WHOLE_MS: Final = 2000
"""Silence that parts an utterance which somebody else has cut out: it is decoded as one, as far as it can."""


class STTEngine:
    """See the module. Making one is quick and checks the settings; `warmup`, or the first use, makes it
    ready. Every method raises `StenoError` with a sentence that says what to do."""

    def __init__(
        self,
        backend: str | None = None,
        *,
        model: str | None = None,
        device: str | None = None,
        compute_type: str | None = None,
        language: str | None = None,
        chunk_s: float | None = None,
        url: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """What is not given is taken from `STENO_…` or `STT_…` variables: see
        `assistant.settings.AssistantSettings`. Raises `BadParameter` that names all that is wrong."""
        self.settings: AssistantSettings = load_assistant_settings(
            backend=backend,
            model=model,
            device=device,
            compute_type=compute_type,
            language=language,
            chunk_s=chunk_s,
            url=url,
            api_key=api_key,
        )
        self._speech: Speech = _speech(self.settings)
        self._opening = threading.Lock()
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._is_closed = False

    @property
    def chunk_s(self) -> float | None:
        """New audio, in seconds, for which text is decoded again while somebody speaks: what was set, or the
        least that this machine keeps up with. None before `warmup`, and where a service chooses."""
        return self._speech.chunk_s

    def warmup(self) -> None:
        """Load the model and measure, or see that the service answers. A second call does nothing."""
        self._loop()

    def close(self) -> None:
        """End what runs and give the device back. The engine can't be used afterwards."""
        with self._opening:
            self._is_closed = True
            portal, self._portal = self._portal, None
            if portal is not None:
                try:
                    portal.call(self._speech.close)
                    portal.call(portal.stop, True)  # whoever waits there is let go
                finally:
                    self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Whole utterances

    def stt(self, audio: Audio) -> str:
        """The text of an utterance: sample rate and samples (int16, int32 or float; mono, or channels either
        way round), of any length. Empty where nobody speaks. Raises `BadAudio`."""
        pcm16 = to_pcm16(audio)
        return self._call(lambda: self._whole(pcm16))

    async def astt(self, audio: Audio) -> str:
        """`stt` for an event loop."""
        pcm16 = await asyncio.to_thread(to_pcm16, audio)
        return await self._acall(lambda: self._whole(pcm16))

    # Text while audio comes

    def stream(
        self, audio: bytes | Iterable[bytes], *, options: StreamOptions | None = None
    ) -> Generator[Text]:
        """The text so far, whenever it is another one, and at last all of it. `audio` is 16 kHz mono pcm16,
        unless `options` say otherwise: all at once, or chunks of any size as they come, which a thread
        reads. To leave the loop early ends the session."""
        texts = Pulled(self._texts(audio, options))
        try:
            while (text := self._call(texts.next)) is not None:
                yield text
            self._check_open()
        finally:
            self._call(texts.close)

    async def astream(
        self,
        audio: bytes | Iterable[bytes] | AsyncIterable[bytes],
        *,
        options: StreamOptions | None = None,
    ) -> AsyncGenerator[Text]:
        """`stream` for an event loop. Chunks may come from an async iterable."""
        if isinstance(audio, AsyncIterable):
            async for text in self._followed(audio, options):
                yield text
            return
        texts = Pulled(self._texts(audio, options))
        try:
            while (text := await self._acall(texts.next)) is not None:
                yield text
            self._check_open()
        finally:
            await self._acall(texts.close)

    @asynccontextmanager
    async def live(self, options: StreamOptions | None = None) -> AsyncGenerator[Live]:
        """A live session with all its events, as `client.connect` gives it, for the caller's event loop."""
        opening = self._speech.connect(self._options(options))
        session = await self._acall(opening.__aenter__)
        try:
            yield Elsewhere(session, self._acall)
        finally:
            await self._acall(lambda: opening.__aexit__(None, None, None))

    # On the engine's loop

    async def _whole(self, pcm16: bytes) -> str:
        options = replace(self._options(None), partials=False, endpointing_ms=_WHOLE_MS)
        async with self._speech.connect(options) as session:
            sending = asyncio.create_task(_send(session, pcm16), name="send-utterance")
            async with aclosing(events_of(session, sending)) as events:
                async for _ in events:
                    pass
            return session.transcript.finals

    async def _texts(
        self, audio: bytes | Iterable[bytes], options: StreamOptions | None
    ) -> AsyncGenerator[Text]:
        options = self._options(options)
        is_there = isinstance(audio, bytes | bytearray | memoryview)
        chunks = cut(bytes(audio), options, self.chunk_s or _CHUNK_S) if is_there else audio
        feed = Feed(Source(iter(chunks), is_live=not is_there))
        try:
            async with (
                self._speech.connect(options, in_step=is_there) as session,
                aclosing(said(session, feed)) as texts,
            ):
                async for text in texts:
                    yield text
        finally:
            feed.close()

    # Between threads

    async def _followed(
        self, chunks: AsyncIterable[bytes], options: StreamOptions | None
    ) -> AsyncGenerator[Text]:
        async with self.live(options) as session, aclosing(said(session, chunks)) as texts:
            async for text in texts:
                yield text

    def _options(self, options: StreamOptions | None) -> StreamOptions:
        return options or StreamOptions(language=self.settings.language)

    def _loop(self) -> BlockingPortal:
        """The thread with the engine's event loop, ready."""
        with self._opening:
            self._check_open()
            if self._portal is None:
                began_s = time.perf_counter()
                with ExitStack() as stack:
                    portal = stack.enter_context(start_blocking_portal(name="steno-engine"))
                    portal.call(self._speech.open)
                    self._stack, self._portal = stack.pop_all(), portal
                ready_s = round(time.perf_counter() - began_s, 2)
                log.info("ready: %s", self._speech.name, extra={"ready_s": ready_s, "chunk_s": self.chunk_s})
            return self._portal

    def _check_open(self) -> None:
        """What a service had said before its session was closed here may be less than all."""
        if self._is_closed:
            raise SessionOver(_CLOSED)

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        future = self._start(self._loop(), work)
        try:
            return future.result()
        except FutureCancelled:
            raise SessionOver(_CLOSED) from None
        except BaseException:
            future.cancel()  # Ctrl-C in this thread: the work would go on unheard
            raise

    def _start(self, portal: BlockingPortal, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        try:
            return portal.start_task_soon(work)
        except RuntimeError:  # its loop has ended
            self._check_open()
            raise

    async def _acall(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        portal = self._portal or await asyncio.to_thread(self._loop)
        future = self._start(portal, work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._is_closed:  # and so the work was cancelled, not its caller
                raise SessionOver(_CLOSED) from None
            raise


def _speech(settings: AssistantSettings) -> Speech:
    """Imported when it is made: a process that asks a service needs neither a model nor its libraries."""
    if settings.backend == "remote":
        from assistant.remote import RemoteSpeech

        return RemoteSpeech(settings)
    from assistant.local import LocalSpeech

    return LocalSpeech(settings)


async def _send(session: Live, audio: bytes) -> None:
    await session.send(audio)
    await session.end()
