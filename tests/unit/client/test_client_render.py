"""How a live session is shown: on a terminal, in a pipe, as JSON."""

import io
import json

import pytest
from rich.console import Console

from client.cli.render import JsonLines, Lines, Screen, partial_line, printable
from shared.codec import event_from_map
from shared.events import Event, SpeechStart, Warning
from tests.support.wire import READY, final, partial

SESSION: list[Event] = [
    READY,
    SpeechStart(utterance=0, start=0.0),
    partial("it was", committed=3),
    final("It was."),
    partial("um", offset=8, utterance=1),
    final("", offset=7, utterance=1),
]


def test_a_pipe_gets_each_final_with_text_as_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as output:
        for seq, event in enumerate(SESSION):
            output.show(seq, event)
    assert capsys.readouterr().out == "It was.\n"


def test_a_warning_is_kept_from_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as output:
        output.show(1, Warning(code="slow", message="partials come slower"))
    assert capsys.readouterr() == ("", "steno: partials come slower\n")


def test_json_has_every_event_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonLines() as output:
        for seq, event in enumerate(SESSION):
            output.show(seq, event)
    messages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [message["seq"] for message in messages] == list(range(len(SESSION)))
    assert [event_from_map(message) for message in messages] == SESSION


def test_a_screen_shows_partials_and_leaves_the_finals() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=40, legacy_windows=False)
    shown: list[str] = []
    with Screen(console) as output:
        for seq, event in enumerate(SESSION):
            output.show(seq, event)
            shown.append(written.getvalue())
            written.seek(0)
            written.truncate()
    assert "it \x1b[2mwas" in shown[2]  # dim: may still change
    assert "It was.\n" in shown[3]
    assert "um" in shown[4]
    assert "\x1b[2K" in shown[5]
    assert "um" not in shown[5]
    left = written.getvalue()
    assert left.endswith("\x1b[2K")  # the line of the open utterance is gone
    assert "\x1b[?25h" in left  # and the cursor is back


def test_the_part_that_may_change_is_dim() -> None:
    line = partial_line(partial("one two", committed=3))
    assert line.plain == "one two"
    assert [(span.start, span.end, span.style) for span in line.spans] == [(3, 7, "dim")]


def test_text_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\nc\u202ed é日") == "a [2Jb c d é日"
    assert partial_line(partial("\x1b]0;title\x07")).plain == " ]0;title "
