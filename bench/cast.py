"""A recording of a command on a terminal as an animated SVG, for the README:

    python -m bench.cast docs/images/demo.svg -- steno demo

The command runs on a terminal of its own, for real; what it prints is kept with its times, and waits without
output are shortened to two seconds. Only what our own commands use of a terminal is understood: lines,
carriage return, erasing, going up, dim and bold; colours are left out.
"""

import argparse
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fcntl import ioctl
from html import escape
from pathlib import Path
from typing import Final

_WAIT_S_MAX: Final = 2.0
_END_S: Final = 4.0
"""How long the last picture stands before it begins anew."""
_FRAME_S: Final = 0.1
_CHAR, _LINE, _MARGIN = 8.4, 19, 16
_SEQUENCE: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>]")

Cell = tuple[str, str]
"""A character and its look."""
Row = tuple[Cell, ...]


@dataclass
class Screen:
    """What a terminal shows."""

    columns: int
    rows: int
    lines: list[list[Cell]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    look: str = ""

    def feed(self, text: str) -> None:
        """Take output. Sequences must be whole."""
        place = 0
        for found in _SEQUENCE.finditer(text):
            self._print(text[place : found.start()])
            if found[2]:
                self._control(found[1] or "", found[2])
            place = found.end()
        self._print(text[place:])

    def picture(self) -> list[Row]:
        """The rows that are in sight."""
        return [tuple(line) for line in self.lines[-self.rows :]]

    def _print(self, text: str) -> None:
        for char in text:
            if char == "\n":
                self._down()
            elif char == "\r":
                self.column = 0
            elif char >= " ":
                if self.column >= self.columns:
                    self._down()
                    self.column = 0
                line = self.lines[self.row]
                line += [(" ", "")] * (self.column + 1 - len(line))
                line[self.column] = (char, self.look)
                self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def _control(self, arguments: str, kind: str) -> None:
        if kind == "m":
            words = set(arguments.split(";"))
            self.look = "dim" if "2" in words else "bold" if "1" in words else ""
        elif kind == "A":
            self.row = max(0, self.row - int(arguments or 1))
        elif kind == "K":
            self.lines[self.row] = [] if arguments == "2" else self.lines[self.row][: self.column]


def record(command: Sequence[str], columns: int, rows: int) -> Iterator[tuple[float, str]]:
    """Run it; each piece of its output with its time in seconds."""
    here, there = pty.openpty()
    ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)}
    began = time.monotonic()
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment) as process:
        os.close(there)
        while process.poll() is None or select.select([here], [], [], 0)[0]:
            if select.select([here], [], [], 0.2)[0]:
                try:
                    data = os.read(here, 65536)
                except OSError:  # nobody is there any more
                    break
                yield time.monotonic() - began, data.decode(errors="replace")
    os.close(here)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")


def pictures(pieces: Iterator[tuple[float, str]], screen: Screen) -> list[tuple[float, list[Row]]]:
    """What was in sight, and from when on; not more often than every `_FRAME_S`."""
    found: list[tuple[float, list[Row]]] = [(0.0, screen.picture())]
    before_s = shown_s = 0.0
    for at_s, text in pieces:
        shown_s += min(at_s - before_s, _WAIT_S_MAX)
        before_s = at_s
        screen.feed(text)
        if shown_s - found[-1][0] < _FRAME_S:
            found[-1] = (found[-1][0], screen.picture())
        elif screen.picture() != found[-1][1]:
            found.append((round(shown_s, 2), screen.picture()))
    return found


def svg(shown: Sequence[tuple[float, list[Row]]], columns: int, rows: int, title: str) -> str:
    """The animation. Without animation its last picture is seen."""
    whole_s = shown[-1][0] + _END_S
    width, height = round(columns * _CHAR + 2 * _MARGIN), rows * _LINE + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}"
        "text{fill:#d7dae0}.dim{fill:#7f8794}.bold{font-weight:bold}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>',
    ]
    for row in range(rows):
        for begin_s, end_s, line in _stays(shown, row, whole_s):
            parts.append(_text(line, row, begin_s, end_s, whole_s))
    return "\n".join([*parts, "</svg>", ""])


def _stays(
    shown: Sequence[tuple[float, list[Row]]], row: int, whole_s: float
) -> Iterator[tuple[float, float, Row]]:
    """Each content of a row, from when and until when."""
    begin_s, content = 0.0, ()
    for at_s, picture in [*shown, (whole_s, [])]:
        now = picture[row] if row < len(picture) else ()
        if now != content:
            if content:
                yield begin_s, at_s, content
            begin_s, content = at_s, now


def _text(line: Row, row: int, begin_s: float, end_s: float, whole_s: float) -> str:
    spans: list[str] = []
    begin = 0
    while begin < len(line):
        look = line[begin][1]
        end = next((n for n in range(begin, len(line)) if line[n][1] != look), len(line))
        words = escape("".join(char for char, _ in line[begin:end]))
        spans.append(f'<tspan class="{look}">{words}</tspan>' if look else words)
        begin = end
    last = end_s >= whole_s
    times = f"0;{begin_s / whole_s:.4f}" + ("" if last else f";{end_s / whole_s:.4f}")
    values = "hidden;visible" + ("" if last else ";hidden")
    place = f'x="{_MARGIN}" y="{_MARGIN + 14 + row * _LINE}"'
    return (
        f'<text {place} visibility="{"visible" if last else "hidden"}">'
        f'{"".join(spans)}<animate attributeName="visibility" values="{values}" keyTimes="{times}" '
        f'calcMode="discrete" dur="{whole_s:.2f}s" repeatCount="indefinite"/></text>'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=92)
    parser.add_argument("--rows", type=int, default=18)
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args(arguments)
    screen = Screen(asked.columns, asked.rows)
    title = " ".join(asked.command)
    screen.feed(f"$ {title}\r\n")
    shown = pictures(record(asked.command, asked.columns, asked.rows), screen)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(svg(shown, asked.columns, asked.rows, title), encoding="utf-8")
    print(f"{asked.out}: {len(shown)} pictures, {asked.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
