"""The client without `async`: the same names and promises, on a thread with an event loop.

    with connect() as session:
        threading.Thread(target=send_all, args=(session,)).start()
        for event in session:
            print(session.transcript.text)

Methods may be called from several threads at once, as a live session needs: one sends, one iterates.
"""

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from client import jobs, stream, watch
from client.calling import Timeout
from client.incoming import LiveTranscript
from client.job_events import JobEvent
from client.jobs import Job, JobPage, ResultFormat
from client.options import DEFAULT_URL, StreamOptions
from client.resuming import ConnectionChange, Resume
from client.sources import Say, open_source
from shared.events import Event, Ready
from shared.jobs import JobOptions
from shared.subtitles import Layout
from shared.system import System
from shared.webhooks import Delivery

T = TypeVar("T")
C = TypeVar("C", bound=AbstractAsyncContextManager[Any])

__all__ = ["Jobs", "LiveSession", "Watch", "connect", "media_file", "microphone"]


class LiveSession:
    """One session, as `connect` gives it. See `client.stream.LiveSession`."""

    def __init__(self, portal: BlockingPortal, session: stream.LiveSession) -> None:
        self._portal = portal
        self._session = session

    @property
    def options(self) -> StreamOptions:
        """What was asked for."""
        return self._session.options

    @property
    def ready(self) -> Ready:
        """What the server said when it opened the session: its id, token and limits."""
        return self._session.ready

    @property
    def last_seq(self) -> int:
        """Number of the last event that iteration gave."""
        return self._session.last_seq

    @property
    def transcript(self) -> LiveTranscript:
        """The text as of that event."""
        return self._session.transcript

    def send(self, audio: bytes) -> None:
        """Send the next bytes of audio, any number, in the format of the session's options."""
        _call(self._portal, lambda: self._session.send(audio))

    def finalize(self, id: str = "") -> int:
        """Ask for the final of what was sent so far, without waiting for a pause. `Finalized` with the number
        that this returns, and with `id`, answers it."""
        return _call(self._portal, lambda: self._session.finalize(id))

    def end(self) -> None:
        """Say that there is no more audio. A second call does nothing."""
        _call(self._portal, self._session.end)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = _call(self._portal, lambda: _next(self._session))
        if event is None:
            raise StopIteration
        return event


@contextmanager
def connect(
    url: str = DEFAULT_URL,
    *,
    api_key: str | None = None,
    options: StreamOptions | None = None,
    open_s: float = 30.0,
    resume: Resume | None = None,
    on_connection: Callable[[ConnectionChange], object] | None = None,
) -> Generator[LiveSession, None, None]:
    """A live session, open and ready for audio. See `client.stream.connect`; `on_connection` is called on
    another thread."""
    opening = stream.connect(
        url,
        api_key=api_key,
        options=options,
        open_s=open_s,
        resume=resume,
        on_connection=on_connection,
    )
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opening) as session:
        yield LiveSession(portal, session)


def microphone(*, on_loss: Say = lambda _what: None) -> Generator[bytes]:
    """Audio from this machine's microphone, until it is closed. See `client.microphone`."""
    yield from open_source("mic", StreamOptions(), on_loss).chunks


def media_file(
    path: str | Path, *, speed: float = 1.0, on_loss: Say = lambda _what: None
) -> Generator[bytes]:
    """The audio of a media file at `speed` times that of speech; 0: as fast as it is taken. See
    `client.media_file`."""
    options = StreamOptions()
    began, sent_s = time.monotonic(), 0.0
    for chunk in open_source(str(Path(path)), options, on_loss).chunks:
        if speed:
            sent_s += len(chunk) / options.bytes_per_s
            time.sleep(max(0.0, began + sent_s / speed - time.monotonic()))
        yield chunk


class _OnPortal(Generic[C]):
    """Something async that is used in a `with` statement, on a thread of its own."""

    def __init__(self, wrapped: C) -> None:
        self._wrapped = wrapped
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._wrapped))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._portal is None:
            raise RuntimeError(f"use {type(self).__name__} in a `with` statement")
        return _call(self._portal, work)


class Watch(_OnPortal[watch.Watch]):
    """Looks at what a server does, as a context manager. See `client.watch.Watch`."""

    def __init__(self, url: str = DEFAULT_URL, *, api_key: str | None = None) -> None:
        super().__init__(watch.Watch(url, api_key=api_key))

    def look(self) -> System:
        """What the server does now, with the whole last hour."""
        return self._run(self._wrapped.look)


class Jobs(_OnPortal[jobs.Jobs]):
    """The file jobs of one server, as a context manager. See `client.jobs.Jobs`."""

    def __init__(
        self, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout: Timeout | None = None
    ) -> None:
        super().__init__(jobs.Jobs(url, api_key=api_key, timeout=timeout))

    def submit(
        self, file: str | Path | BinaryIO, options: JobOptions | None = None, *, name: str = "", key: str = ""
    ) -> Job:
        """Upload a file and queue it; it is read from disk as it is sent. The same key gives the same job."""
        return self._run(lambda: self._wrapped.submit(file, options, name=name, key=key))

    def submit_url(self, url: str, options: JobOptions | None = None, *, key: str = "") -> Job:
        """Queue a file that the server fetches; its operator must allow the host."""
        return self._run(lambda: self._wrapped.submit_url(url, options, key=key))

    def status(self, job_id: str) -> Job:
        """The job now. Raises `NotFound`."""
        return self._run(lambda: self._wrapped.status(job_id))

    def wait(self, job_id: str, *, on_progress: Callable[[Job], object] | None = None) -> Job:
        """Wait until the job has finished. `on_progress` is called on another thread."""
        return self._run(lambda: self._wrapped.wait(job_id, on_progress=on_progress))

    def result(self, job_id: str, format: ResultFormat = "json", *, layout: Layout | None = None) -> str:
        """The text of a finished job in one of the formats. Raises `NotFound` or `NotFinished`."""
        return self._run(lambda: self._wrapped.result(job_id, format, layout=layout))

    def list(self, *, status: str = "", limit: int = 50, cursor: str = "") -> JobPage:
        """A page of the jobs, newest first."""
        return self._run(lambda: self._wrapped.list(status=status, limit=limit, cursor=cursor))

    def find(self, key: str) -> Job | None:
        """The job that a key of `submit` stands for."""
        return self._run(lambda: self._wrapped.find(key))

    def retry(self, job_id: str) -> Job:
        """Queue a failed job again. Raises `NotFound`, and `Conflict` for one that has not failed."""
        return self._run(lambda: self._wrapped.retry(job_id))

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """Progress, each finished segment once, and at last the job as it ended. Raises `NotFound`."""
        events = self._wrapped.events(job_id)
        try:
            while (event := self._run(lambda: _next_event(events))) is not None:
                yield event
        finally:
            self._run(events.aclose)

    def deliveries(self, job_id: str) -> tuple[Delivery, ...]:
        """The job's webhooks with every attempt."""
        return self._run(lambda: self._wrapped.deliveries(job_id))

    def redeliver(self, job_id: str, delivery_id: str) -> Delivery:
        """Send a webhook again. Raises `NotFound`, and `Conflict` before the job has ended."""
        return self._run(lambda: self._wrapped.redeliver(job_id, delivery_id))

    def remove(self, job_id: str) -> None:
        """Cancel a job, or delete one that is over with its result. Raises `NotFound`."""
        self._run(lambda: self._wrapped.remove(job_id))


async def _next_event(events: AsyncGenerator[JobEvent]) -> JobEvent | None:
    return await anext(events, None)


async def _next(session: stream.LiveSession) -> Event | None:
    return await anext(session, None)


def _call(portal: BlockingPortal, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    future = portal.start_task_soon(work)
    try:
        return future.result()
    # Ctrl-C in this thread: without this the call would go on and take an event no one will see.
    except BaseException:
        future.cancel()
        raise
