"""What a live session looks like: lines in a pipe, a line rewritten in place on a terminal, or JSON.

What a server sends is text from elsewhere: control characters in it never reach a terminal.
"""

import json
import sys
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from shared.codec import event_to_map
from shared.events import Event, Final, Partial, Warning


class Output(Protocol):
    """Shows the events of a session, one by one. A context manager."""

    wants_partials: bool
    """Whether partials are shown; otherwise the server need not decode them."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, seq: int, event: Event) -> None:
        """Show an event."""
        ...


class _Standard:
    """Writes to standard output, and needs nothing put right at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class JsonLines(_Standard):
    """Every event as it came, one JSON object per line."""

    wants_partials = True

    def show(self, seq: int, event: Event) -> None:
        """Print the event."""
        fields = event_to_map(event)
        message = {"type": fields.pop("type"), "seq": seq, **fields}
        print(json.dumps(message, ensure_ascii=False), flush=True)


class Lines(_Standard):
    """Finals alone, one per line."""

    wants_partials = False

    def show(self, seq: int, event: Event) -> None:
        """Print the event if it is a final with text; a warning goes to standard error."""
        if isinstance(event, Final) and event.text:
            print(printable(event.text), flush=True)
        elif isinstance(event, Warning):
            print(f"steno: {printable(event.message)}", file=sys.stderr)


class Screen:
    """Finals as lines, and under them the open utterance: its committed part plain, the rest dim."""

    wants_partials = True

    def __init__(self, console: Console) -> None:
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            # A message printed meanwhile goes above the line, unless it is kept elsewhere.
            redirect_stderr=sys.stderr.isatty(),
        )
        self._console = console

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, seq: int, event: Event) -> None:
        """Rewrite the open utterance, or put its final in its place."""
        if isinstance(event, Partial):
            self._live.update(partial_line(event), refresh=True)
        elif isinstance(event, Final):
            # Refreshed first: printing draws what was shown last once more below the new line.
            self._live.update(Text(), refresh=True)
            if event.text:
                self._console.print(Text(printable(event.text)))
        elif isinstance(event, Warning):
            self._console.print(Text(printable(event.message), style="yellow"))


def choose_output(*, as_json: bool) -> Output:
    """What fits standard output: a terminal gets partials, a pipe gets no control codes."""
    if as_json:
        return JsonLines()
    return Screen(Console()) if sys.stdout.isatty() else Lines()


def partial_line(partial: Partial) -> Text:
    """The open utterance, with what may still change in dim."""
    text = printable(partial.text)
    line = Text(text[: partial.committed])
    line.append(text[partial.committed :], style="dim")
    return line


def printable(text: str) -> str:
    """The text with everything that would move a cursor replaced, at the same length."""
    return "".join(char if char.isprintable() else " " for char in text)
