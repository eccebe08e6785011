"""`steno jobs`: the file jobs of a server, listed, shown, cancelled, tried again."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from client.cli import asking
from client.cli.render import printable
from client.jobs import Job, JobPage, Jobs
from shared.codec import to_map
from shared.jobs import FAILED

T = TypeVar("T")
_ID_CHARS: Final = 32
"""Of a job's id, which is of no use when it is cut."""
_PIPE_CHARS: Final = 400
"""Longest line in a pipe; the names in it have 200 at most."""
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")]
AsJson = Annotated[bool, typer.Option("--json", help="As the server describes it.")]

app = typer.Typer(
    help="The file jobs of a server.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command("list")
def listed(
    status: Annotated[str, typer.Option(help="Only queued, running, finished, failed or cancelled.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most jobs to list.")] = 50,
    as_json: AsJson = False,
    url: asking.Url = None,
    key: asking.Key = None,
) -> None:
    """List jobs, newest first."""
    jobs = _run(asking.server(url, key), lambda server: _first(server, status, limit))
    if as_json:
        _print_json([to_map(job) for job in jobs])
        return
    if not jobs:
        which = f" that are {status}" if status else ""
        print(f"steno: there are no jobs{which}; 'steno transcribe FILE' makes one", file=sys.stderr)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("job", "status", "done", "created"):
        table.add_column(name, no_wrap=True, min_width=_ID_CHARS if name == "job" else None)
    table.add_column("name", overflow="ellipsis", no_wrap=True)
    for job in jobs:
        done = f"{job.progress:.0%}"
        table.add_row(job.id, job.status, done, job.created_at or "", printable(job.name or ""))
    # Names may look like markup; a pipe has neither colours nor a width that lines must be cut to.
    on_terminal = sys.stdout.isatty()
    console = Console(
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=on_terminal,
        width=None if on_terminal else _PIPE_CHARS,
    )
    console.print(table)


@app.command()
def show(job: JobId, as_json: AsJson = False, url: asking.Url = None, key: asking.Key = None) -> None:
    """Show a job. The exit status is 1 when it has failed."""
    found = _run(asking.server(url, key), lambda server: server.status(job))
    _show(found, as_json=as_json)
    if found.status == FAILED:
        raise typer.Exit(1)


@app.command()
def cancel(job: JobId, as_json: AsJson = False, url: asking.Url = None, key: asking.Key = None) -> None:
    """Cancel a job. One that has ended is left as it is."""

    async def unless_over(server: Jobs) -> Job:
        found = await server.status(job)
        if found.is_over:
            return found
        await server.remove(job)
        return await server.status(job)

    _show(_run(asking.server(url, key), unless_over), as_json=as_json)


@app.command()
def retry(job: JobId, as_json: AsJson = False, url: asking.Url = None, key: asking.Key = None) -> None:
    """Queue a failed job again."""
    _show(_run(asking.server(url, key), lambda server: server.retry(job)), as_json=as_json)


async def _first(server: Jobs, status: str, limit: int) -> list[Job]:
    """The newest jobs, over as many pages as they take."""
    jobs: list[Job] = []
    page = JobPage(next_cursor=" ")
    while page.next_cursor and len(jobs) < limit:
        page = await server.list(
            status=status, limit=min(limit - len(jobs), 200), cursor=page.next_cursor.strip()
        )
        jobs += page.jobs
    return jobs


def _run(at: asking.Server, work: Callable[[Jobs], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Jobs(at.url, api_key=at.key) as server:
            return await work(server)

    return asyncio.run(run())


def _show(job: Job, *, as_json: bool) -> None:
    if as_json:
        _print_json(to_map(job))
        return
    for name, value in to_map(job).items():
        text = value["message"] if isinstance(value, dict) else value
        print(f"{name:<11} {printable(str(text))}")


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=1))
