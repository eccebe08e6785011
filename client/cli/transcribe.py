"""`steno transcribe`: files as jobs, their text to standard output or into a directory."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from client.cli import asking
from client.cli.render import printable
from client.jobs import Job, Jobs, ResultFormat
from shared.errors import BadParameter, StenoError
from shared.jobs import JobOptions

_AT_ONCE: Final = 4
"""Files uploaded or waited for at the same time: enough to keep the server's workers busy."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is to be done with every file."""

    options: JobOptions
    format: ResultFormat
    places: dict[Path, Path]
    """Where the result of each file goes; empty: standard output."""


def transcribe(  # noqa: PLR0913 - one per flag
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Media files.")],
    url: asking.Url = None,
    result_format: Annotated[ResultFormat, typer.Option("--format", help="Of the result.")] = "txt",
    output_dir: Annotated[
        Path | None, typer.Option(help="Write NAME.FORMAT here instead of to standard output.")
    ] = None,
    language: asking.Language = "auto",
    task: asking.TaskFlag = "transcribe",
    model: asking.ModelAsked = "",
    prompt: asking.Prompt = "",
    hotwords: asking.Hotwords = "",
    words: asking.Words = False,
) -> None:
    """Transcribe files. Results come in the order of the files; the exit status is 1 if any failed."""
    options = JobOptions(
        language=language, task=task, model=model, prompt=prompt, hotwords=hotwords, words=words
    )
    places = {} if output_dir is None else result_paths(files, output_dir, result_format)
    batch = _Batch(options, result_format, places)
    texts = asyncio.run(_transcribe_all(asking.server_url(url), files, batch))
    if not places:
        # Only now: a bar on the terminal would be written over.
        print("\n".join(text for text in texts if text is not None), end="")
    if None in texts:
        raise typer.Exit(1)


async def transcribe_file(
    jobs: Jobs,
    path: Path,
    options: JobOptions,
    result_format: ResultFormat,
    on_progress: Callable[[Job], object],
) -> str:
    """One file as a job, from upload to result. Cancelling cancels the job too."""
    job = await jobs.submit(path, options)
    try:
        ended = await jobs.wait(job.id, on_progress=on_progress)
    except asyncio.CancelledError:
        with suppress(StenoError):
            await jobs.remove(job.id)
        raise
    if ended.warning:
        print(f"steno: {path}: {ended.warning}", file=sys.stderr)
    return await jobs.result(job.id, result_format)


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

    def say(self, status: str) -> None:
        """Show what becomes of the file outside its job."""
        self._progress.update(self._id, status=status)


def result_paths(files: Sequence[Path], folder: Path, result_format: str) -> dict[Path, Path]:
    """Where each result goes: `talk.srt` for `talk.mp3`, and `talk.mp3.srt` where two files would meet.
    Raises `BadParameter` where they meet all the same."""
    files = list(dict.fromkeys(files))
    stems = Counter(path.stem for path in files)
    names = {path: path.stem if stems[path.stem] == 1 else path.name for path in files}
    for name, count in Counter(names.values()).items():
        if count > 1:
            raise BadParameter(
                f"{count} files are called {name}; write their results to different directories"
            )
    return {path: folder / f"{name}.{result_format}" for path, name in names.items()}


async def _transcribe_all(url: str, files: Sequence[Path], batch: _Batch) -> list[str | None]:
    """The text of each file; None for those that failed, which is said at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def attempt(jobs: Jobs, path: Path, bar: Bar) -> str | None:
        try:
            async with gate:
                bar.say("uploading")
                text = await transcribe_file(jobs, path, batch.options, batch.format, bar.follow)
            if path in batch.places:
                await asyncio.to_thread(_write, batch.places[path], text)
        except (StenoError, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            print(f"steno: {path}: {reason}", file=sys.stderr)
            bar.say("failed")
            return None
        return text

    async with Jobs(url) as jobs:
        with progress_bars() as progress:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(attempt(jobs, path, Bar(progress, path))) for path in files]
    return [task.result() for task in tasks]


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
