"""File jobs: upload a file, follow its progress, take the result.

async with Jobs() as jobs:
    job = await jobs.submit("talk.mp3", JobOptions(language="en"))
    await jobs.wait(job.id, on_progress=lambda job: print(job.progress))
    print(await jobs.result(job.id, "srt"))

`submit(..., key="…")` may be repeated after anything went wrong: the same key gives the same job.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self, TypeVar
from urllib.parse import quote

import httpx

from client.calling import Caller, Timeout, parsed
from client.errors import JobFailed, TimedOut, from_server, unanswered
from client.job_events import JobEvent, JobGone, events_in
from client.options import DEFAULT_URL, to_query
from shared.jobs import FAILED, FINISHED, JobOptions, JobRecord
from shared.subtitles import Layout
from shared.webhooks import Delivery

ResultFormat = Literal["json", "verbose_json", "srt", "vtt", "tsv", "txt"]

T = TypeVar("T")

_POLL_S: Final = 0.5
"""Between two looks at a job: a person sees the bar move, and a thousand waiting clients cost the server
little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobRecord):
    """A job as the server last described it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A piece of the list of jobs. `next_cursor` asks for the next one; empty after the last."""

    jobs: tuple[Job, ...] = ()
    next_cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deliveries:
    deliveries: tuple[Delivery, ...]


class Jobs:
    """The file jobs of one server. An async context manager; `client.sync.Jobs` is its twin.

    Every method raises `ConnectionLost` or `TimedOut` when the server can't be reached, and otherwise what
    the server said.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout: Timeout | None = None
    ) -> None:
        """`api_key` is by default what `STENO_API_KEY` holds."""
        self._timeout = timeout or Timeout()
        self._http = Caller(url, api_key, self._timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def submit(
        self, file: str | Path | BinaryIO, options: JobOptions | None = None, *, name: str = "", key: str = ""
    ) -> Job:
        """Upload a file and queue it. It is read from disk as it is sent, never whole into memory.

        `name` is the file's name as the server sees it. A `key` that stands for a job with the same file and
        options gives that job; with others it raises `KeyReused`. Raises `OSError` when the file can't be
        read. Cancelling leaves no job, unless the upload was complete.
        """
        if isinstance(file, str | Path):
            path = Path(file)
            with await asyncio.to_thread(path.open, "rb") as opened:
                return await self.submit(opened, options, name=name or path.name, key=key)
        upload = (name or Path(str(getattr(file, "name", "audio"))).name, file)
        form = to_query(options or JobOptions())
        return _job(
            await self._http.request("POST", "/v1/jobs", files={"file": upload}, data=form, headers=_key(key))
        )

    async def submit_url(self, url: str, options: JobOptions | None = None, *, key: str = "") -> Job:
        """Queue a file that the server fetches; its operator must allow the host."""
        document = {"url": url, **to_query(options or JobOptions())}
        return _job(await self._http.request("POST", "/v1/jobs", json=document, headers=_key(key)))

    async def status(self, job_id: str) -> Job:
        """The job now. Raises `NotFound`."""
        return _job(await self._http.request("GET", _path(job_id)))

    async def list(self, *, status: str = "", limit: int = 50, cursor: str = "") -> JobPage:
        """A page of the jobs, newest first; `status` is one of `shared.jobs.STATUSES`, or empty for all."""
        asked = {"status": status, "limit": limit, "cursor": cursor}
        query = {name: value for name, value in asked.items() if value}
        return _parsed(JobPage, await self._http.request("GET", "/v1/jobs", params=query))

    async def find(self, key: str) -> Job | None:
        """The job that a key of `submit` stands for."""
        reply = await self._http.request("GET", "/v1/jobs", params={"idempotency_key": key})
        return next(iter(_parsed(JobPage, reply).jobs), None)

    async def retry(self, job_id: str) -> Job:
        """Queue a failed job again. Raises `NotFound`, and `Conflict` for one that has not failed."""
        return _job(await self._http.request("POST", _path(job_id) + "/retry"))

    async def wait(self, job_id: str, *, on_progress: Callable[[Job], object] | None = None) -> Job:
        """Wait until the job has finished, telling `on_progress` of each look at it.

        Raises why it failed (`BadAudio`, `EngineFault`, …), `JobFailed` when the reason has no name or it
        was cancelled, and `TimedOut` after `Timeout.job_s`. The job goes on when this is cancelled or
        raises; call it again with the same id.
        """
        try:
            async with asyncio.timeout(self._timeout.job_s):
                job = await self._until_over(job_id, on_progress)
        except TimeoutError:
            raise TimedOut(f"job {job_id} is not over after {self._timeout.job_s:g} s") from None
        if job.status == FINISHED:
            return job
        if job.error is not None:
            raise from_server(job.error.code, job.error.message, retryable=job.error.retryable)
        raise JobFailed(f"job {job_id} " + ("failed" if job.status == FAILED else "was cancelled"))

    async def result(
        self, job_id: str, format: ResultFormat = "json", *, layout: Layout | None = None
    ) -> str:
        """The text of a finished job in one of the formats; `layout` is of subtitles, by default the one
        that the job was given. Raises `NotFound` or `NotFinished`."""
        query = {"format": format, **(asdict(layout) if layout else {})}
        return (await self._http.request("GET", _path(job_id) + "/result", params=query)).text

    async def remove(self, job_id: str) -> None:
        """Cancel a job, or delete one that is over with its result. Raises `NotFound`."""
        await self._http.request("DELETE", _path(job_id))

    async def events(self, job_id: str) -> AsyncGenerator[JobEvent]:
        """Progress, each finished segment once, and at last the job as it ended. A connection that is lost
        is made again, and goes on behind the last segment. Raises `NotFound`."""
        after = 0
        while True:
            try:
                last = {"Last-Event-ID": str(after)}
                async with self._http.streamed(_path(job_id) + "/events", headers=last) as reply:
                    async for number, event in events_in(reply.aiter_lines()):
                        after = max(after, number)
                        yield event
                        if isinstance(event, JobRecord | JobGone):
                            return
            except httpx.TransportError as error:
                if isinstance(error, httpx.ConnectError):
                    raise unanswered(self._http.address, error) from None
            await asyncio.sleep(_POLL_S)

    async def deliveries(self, job_id: str) -> tuple[Delivery, ...]:
        """The job's webhooks with every attempt."""
        return _parsed(_Deliveries, await self._http.request("GET", _path(job_id) + "/deliveries")).deliveries

    async def redeliver(self, job_id: str, delivery_id: str) -> Delivery:
        """Send a webhook again. Raises `NotFound`, and `Conflict` before the job has ended."""
        path = f"{_path(job_id)}/deliveries/{quote(delivery_id, safe='')}/redeliver"
        return _parsed(Delivery, await self._http.request("POST", path))

    async def _until_over(self, job_id: str, on_progress: Callable[[Job], object] | None) -> Job:
        while True:
            job = await self.status(job_id)
            if on_progress is not None:
                on_progress(job)
            if job.is_over:
                return job
            await asyncio.sleep(_POLL_S)


def _path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}


def _job(reply: httpx.Response) -> Job:
    return _parsed(Job, reply)


def _parsed(cls: type[T], reply: httpx.Response) -> T:
    return parsed(cls, reply, about="its jobs")
