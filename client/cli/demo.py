"""`steno demo`: the whole service for a minute, shown on one clip."""

import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from client.cli import flags, stack
from client.cli.interrupt import raise_on_terminate, run_until_stopped
from client.cli.listen import INTERRUPTED_STATUS, follow, say_loss
from client.cli.render import choose_output
from client.cli.transcribe import Bar, progress_bars, transcribe_file
from client.jobs import Jobs
from client.options import StreamOptions
from client.sources import Feed, open_source
from client.stream import connect
from shared.errors import BadParameter
from shared.jobs import JobOptions
from shared.settings import Settings, load_settings

_BUNDLED: Final = Path(__file__).parents[2] / "tests" / "data" / "en_demo.flac"


def demo(
    clip: Annotated[Path, typer.Option(help="Media file to show it on.", show_default=False)] = _BUNDLED,
    model: flags.Model = None,
    device: flags.Device = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every live message, then the file's result, as JSON lines.")
    ] = False,
) -> None:
    """Start the service on a free port with a directory of its own, transcribe a clip live at the speed it
    is spoken and then as a file, and stop."""
    if not clip.is_file():
        raise BadParameter(
            f"{clip}: no such file; the bundled clip is in the repository, or choose one with --clip"
        )
    raise_on_terminate()
    # For the processes of the service, whose log would come between the lines of the clip.
    os.environ.setdefault("STENO_LOG_LEVEL", "warning")
    for name in ("API_KEYS", "OPERATORS", "TLS_CERT", "TLS_KEY"):  # it serves itself alone, on loopback
        os.environ.pop(f"STENO_{name}", None)
    with tempfile.TemporaryDirectory(prefix="steno-demo-") as folder:
        settings = load_settings(
            host="127.0.0.1", port=_free_port(), data_dir=Path(folder), model=model, device=device
        )
        stack.check(settings)
        was_stopped = run_until_stopped(lambda hurry: _show(settings, clip, hurry, as_json=as_json))
    if was_stopped:
        raise typer.Exit(INTERRUPTED_STATUS)


async def _show(settings: Settings, clip: Path, hurry: asyncio.Event, *, as_json: bool) -> None:
    _say(f"Starting Steno with model {settings.model}.")
    async with stack.running(settings, hurry=hurry) as service:
        _say(f"Ready on {service.address}.\n\n{clip.name}, live:\n")
        await _show_live(service.address, clip, as_json=as_json)
        _say(f"\n{clip.name}, as a file:\n")
        await _show_job(service.address, clip, as_json=as_json)
        _say("\nStopping. 'steno up' runs it until Ctrl-C, with a page in the browser.")


async def _show_live(url: str, clip: Path, *, as_json: bool) -> None:
    output = choose_output(as_json=as_json)
    options = StreamOptions(partials=output.wants_partials)
    source = open_source(str(clip), options, say_loss)
    async with connect(url, options=options) as session:
        with output:
            await follow(session, Feed(source), speed=1.0, output=output)


async def _show_job(url: str, clip: Path, *, as_json: bool) -> None:
    with progress_bars() as progress:
        bar = Bar(progress, clip)
        async with Jobs(url) as jobs:
            kind = "json" if as_json else "srt"
            text = await transcribe_file(jobs, clip, JobOptions(), kind, bar.follow)
    if as_json:
        text = json.dumps(json.loads(text), ensure_ascii=False) + "\n"
    print(text, end="", flush=True)


def _say(text: str) -> None:
    """What is not text of the clip goes to standard error, in order with it."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
