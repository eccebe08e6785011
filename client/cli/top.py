"""`steno top`: what a server does, live."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Generator
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from client.cli import asking
from client.cli.top_view import view
from client.errors import ConnectionLost, TimedOut
from client.watch import Watch
from shared.codec import to_map
from shared.errors import BrokerLost, Unavailable
from shared.system import LOOK_S, System

_PIPE_CHARS: Final = 160
"""Width of the view in a pipe, which has none."""
_LOST: Final = (ConnectionLost, TimedOut, BrokerLost, Unavailable)
"""What may pass by itself."""


def top(
    url: asking.Url = None,
    key: asking.Key = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one look as JSON, and end.")] = False,
) -> None:
    """Show workers, sessions, queues and latency, once a second. q or Ctrl-C ends it; in a pipe it shows them
    once. With an API key that is no operator's: your own sessions."""
    server = asking.server(url, key)
    on_terminal = sys.stdout.isatty()  # FORCE_COLOR makes no terminal of a pipe
    width = None if on_terminal else _PIPE_CHARS
    console = Console(highlight=False, emoji=False, markup=False, force_terminal=on_terminal, width=width)
    if as_json or once or not on_terminal:
        system = asyncio.run(_look(server))
        if as_json:
            print(json.dumps(to_map(system), ensure_ascii=False, indent=1))
            return
        console.print(view(system, where=server.url, width=console.width), no_wrap=True, crop=False)
        return
    asyncio.run(_watch(server, console))


async def _look(server: asking.Server) -> System:
    async with Watch(server.url, api_key=server.key) as watch:
        return await watch.look()


async def _watch(server: asking.Server, console: Console) -> None:
    """Look and draw until the user has enough. The first look must succeed."""
    stop, resized = asyncio.Event(), asyncio.Event()
    async with Watch(server.url, api_key=server.key) as watch:
        system, problem = await watch.look(), ""
        with _keys(stop, resized), Live(console=console, screen=True, auto_refresh=False) as live:
            while not stop.is_set():
                width, height = console.size
                drawn = view(system, where=server.url, width=width, height=height, problem=problem)
                live.update(drawn, refresh=True)
                if await _pause(stop, resized):
                    continue
                try:
                    system, problem = await watch.look(), ""
                except _LOST as error:
                    problem = error.message


async def _pause(stop: asyncio.Event, resized: asyncio.Event) -> bool:
    """Wait for the next look. Returns True when there is to be none: it is over, or only drawn anew."""
    waits = [asyncio.create_task(event.wait()) for event in (stop, resized)]
    try:
        done, _ = await asyncio.wait(waits, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    resized.clear()
    return bool(done)


@contextlib.contextmanager
def _keys(stop: asyncio.Event, resized: asyncio.Event) -> Generator[None, None, None]:
    """Meanwhile q, Ctrl-C and SIGTERM set `stop`, and a terminal of another size sets `resized`."""
    import termios
    import tty

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGWINCH, resized.set)
    before = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None

    def pressed() -> None:
        # End of input, as when the terminal is closed, ends it too.
        if os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b"\x04", b""):
            stop.set()

    try:
        if before is not None:
            tty.setcbreak(sys.stdin)
            loop.add_reader(sys.stdin, pressed)
        yield
    finally:
        if before is not None:
            loop.remove_reader(sys.stdin)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH):
            loop.remove_signal_handler(number)
