"""`steno transcribe`: files as jobs, their text to standard output or into a directory.

Exit status: 0 when every file has its result, 1 when one has not, 2 when nothing could be begun, 130 when it
was interrupted.
"""

import asyncio
import hashlib
import json
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from client.cli import asking
from client.cli.listen import INTERRUPTED_STATUS
from client.cli.media_files import (
    MediaFile,
    appearing,
    has_result,
    media_files,
    result_paths,
    whole_name_path,
)
from client.cli.render import printable
from client.jobs import Job, Jobs, ResultFormat
from shared.codec import to_map
from shared.errors import BadParameter, Conflict, NotFound, StenoError
from shared.jobs import FAILED, JobOptions, JobProblem
from shared.subtitles import Layout

_AT_ONCE: Final = 4
"""Files uploaded or waited for at the same time: enough to keep the server's workers busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What is to be done with every file."""

    options: JobOptions
    format: ResultFormat
    layout: Layout
    out: Path | None
    """Directory of the results; None: standard output."""
    again: bool
    """Whether files are transcribed anew that have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of a file."""

    file: str
    text: str | None = None
    """As it was asked for, unless it was written to `path`."""
    path: str | None = None
    error: JobProblem | None = None


def transcribe(  # noqa: PLR0913 - one per flag
    files: Annotated[list[Path], typer.Argument(metavar="FILE|DIR...", help="Media files, and directories.")],
    url: asking.Url = None,
    key: asking.Key = None,
    result_format: Annotated[ResultFormat, typer.Option("--format", help="Of the result.")] = "txt",
    out: Annotated[
        Path | None,
        typer.Option("--out", "--output-dir", help="Write NAME.FORMAT here instead of to standard output."),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Also take what is in directories of directories.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with files that appear, until Ctrl-C.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Transcribe anew what has a result or a job already.")
    ] = False,
    language: asking.Language = "auto",
    task: asking.TaskFlag = "transcribe",
    model: asking.ModelAsked = "",
    prompt: asking.Prompt = "",
    hotwords: asking.Hotwords = "",
    words: asking.Words = False,
    channels: Annotated[
        str, typer.Option(help="mix, or split: every channel by itself, as a speaker.")
    ] = "mix",
    diarize: Annotated[bool, typer.Option("--diarize", help="Say who speaks, told by voice.")] = False,
    track: Annotated[int | None, typer.Option(help="Audio track of the file, from 0.")] = None,
    max_line_chars: Annotated[int, typer.Option(help="Longest line of a subtitle.")] = 42,
    max_lines: Annotated[int, typer.Option(help="Most lines of a subtitle.")] = 2,
    priority: Annotated[str, typer.Option(help="interactive, normal or low.")] = "normal",
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON for each file: its text, or path, or error.")
    ] = False,
) -> None:
    """Transcribe files. Results come in the order of the files. A run that was killed goes on with its jobs
    when it is started again; Ctrl-C cancels them. The exit status is 1 if any file failed."""
    options = JobOptions(
        language=language,
        task=task,
        model=model,
        prompt=prompt,
        hotwords=hotwords,
        words=words,
        channels=channels,
        diarize=diarize,
        track=track,
        priority=priority,
    )
    layout = Layout(max_line_chars, max_lines)
    batch = _Batch(options=options, format=result_format, layout=layout, out=out, again=again)
    if watch and (out is None or not any(path.is_dir() for path in files)):
        raise BadParameter("--watch is for a directory, and needs --out")
    server = asking.server(url, key)
    try:
        if watch:
            asyncio.run(_transcribe_as_they_come(server, files, batch, recursive=recursive))
            return
        found = media_files(files, recursive=recursive)
        if not found:
            raise BadParameter("there is no media file in these directories; --recursive looks deeper")
        outcomes = asyncio.run(_transcribe_all(server, found, batch))
    except KeyboardInterrupt:
        raise typer.Exit(0 if watch else INTERRUPTED_STATUS) from None
    # Only now: a bar on the terminal would be written over.
    if as_json:
        for outcome in outcomes:
            print(json.dumps(to_map(outcome), ensure_ascii=False))
    elif out is None:
        print("\n".join(outcome.text for outcome in outcomes if outcome.text is not None), end="")
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


async def transcribe_file(
    jobs: Jobs,
    path: Path,
    options: JobOptions,
    result_format: ResultFormat,
    on_progress: Callable[[Job], object],
    *,
    key: str = "",
    layout: Layout | None = None,
) -> str:
    """One file as a job, from upload to result. A job that `key` stands for is gone on with. Cancelling
    cancels the job too."""
    job = await _begun(jobs, path, options, key)
    try:
        ended = await jobs.wait(job.id, on_progress=on_progress)
    except asyncio.CancelledError:
        with suppress(StenoError):
            await jobs.remove(job.id)
        raise
    if ended.warning:
        print(f"steno: {path}: {ended.warning}", file=sys.stderr)
    return await jobs.result(job.id, result_format, layout=layout)


async def _begun(jobs: Jobs, path: Path, options: JobOptions, key: str) -> Job:
    """The file's job, without an upload where there is one already."""
    job = await jobs.find(key) if key else None
    if job is None:
        return await jobs.submit(path, options, key=key)
    if job.status != FAILED:
        return job
    try:
        return await jobs.retry(job.id)
    except (NotFound, Conflict):  # its upload is gone; the key is free once the job is deleted
        with suppress(NotFound):
            await jobs.remove(job.id)
        return await jobs.submit(path, options, key=key)


def job_key(path: Path, options: JobOptions, *, again: bool) -> str:
    """What stands for the job of this file with these options, whatever the file is called. Raises
    `OSError`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(options.to_json().encode())
    return f"steno-cli-{digest.hexdigest()}" + (f"-{secrets.token_hex(8)}" if again else "")


def progress_bars() -> Progress:
    """Bars on standard error; nothing where that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        TextColumn("{task.fields[status]}", style="dim"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
        redirect_stdout=False,  # it would turn what is for standard output over to the bar's stream
    )


class Bar:
    """The bar of one file."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self._progress = progress
        self._id = progress.add_task(escape(printable(path.name)), total=1.0, status="waiting")

    def follow(self, job: Job) -> None:
        """Show how far the job is."""
        self._progress.update(self._id, completed=job.progress, status=job.status)

    def end(self) -> None:
        """The file has its result."""
        self._progress.update(self._id, completed=1.0, status="finished")

    def say(self, status: str) -> None:
        """Show what becomes of the file outside its job."""
        self._progress.update(self._id, status=status)


async def _transcribe_all(server: asking.Server, files: Sequence[MediaFile], batch: _Batch) -> list[_Outcome]:
    """What became of each file; what failed is also said at once."""
    places = result_paths(files, batch.out, batch.format) if batch.out is not None else {}
    gate = asyncio.Semaphore(_AT_ONCE)
    async with Jobs(server.url, api_key=server.key) as jobs:
        with progress_bars() as progress:
            run = _Run(jobs, batch, progress, gate)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run.attempt(file.path, places.get(file.path))) for file in files]
    return [task.result() for task in tasks]


async def _transcribe_as_they_come(
    server: asking.Server, arguments: Sequence[Path], batch: _Batch, *, recursive: bool
) -> None:
    """Transcribe what is there and what appears, until cancelled. A file that fails is not tried again
    before it changes."""
    assert batch.out is not None
    gate = asyncio.Semaphore(_AT_ONCE)
    files: AsyncGenerator[MediaFile] = appearing(arguments, recursive=recursive)
    async with Jobs(server.url, api_key=server.key) as jobs, aclosing(files):
        with progress_bars() as progress:
            run = _Run(jobs, batch, progress, gate)
            async with asyncio.TaskGroup() as group:
                async for file in files:
                    place = whole_name_path(file, batch.out, batch.format)
                    group.create_task(run.attempt(file.path, place))


class _Run:
    """What all files of a run share."""

    def __init__(self, jobs: Jobs, batch: _Batch, progress: Progress, gate: asyncio.Semaphore) -> None:
        self._jobs = jobs
        self._batch = batch
        self._progress = progress
        self._gate = gate

    async def attempt(self, path: Path, place: Path | None) -> _Outcome:
        """One file."""
        batch, file, written = self._batch, str(path), None if place is None else str(place)
        if place is not None and not batch.again and has_result(path, place):
            print(f"steno: {path}: has a result already; --again makes it anew", file=sys.stderr)
            return _Outcome(file=file, path=written)
        async with self._gate:
            bar = Bar(self._progress, path)
            try:
                bar.say("uploading")
                key = await asyncio.to_thread(job_key, path, batch.options, again=batch.again)
                text = await transcribe_file(
                    self._jobs,
                    path,
                    batch.options,
                    batch.format,
                    bar.follow,
                    key=key,
                    layout=batch.layout,
                )
                if place is not None:
                    await asyncio.to_thread(_write, place, text)
            except (StenoError, OSError) as error:
                reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
                print(f"steno: {path}: {reason}", file=sys.stderr)
                bar.say("failed")
                code, again = (
                    (error.code, error.retryable) if isinstance(error, StenoError) else ("os", False)
                )
                return _Outcome(file=file, error=JobProblem(code=code, message=reason, retryable=again))
            bar.end()
        return _Outcome(file=file, text=text if place is None else None, path=written)


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(place)
