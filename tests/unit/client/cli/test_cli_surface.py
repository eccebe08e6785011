"""What every command of `steno` has in common."""

import io
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest
import typer

from client.cli import main

PROCESSES: Final = {"api", "wyoming", "worker", "job-worker"}
"""They run until they are stopped; their log is their output."""


def commands(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by the words that call it."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = main.load(name) if not names else group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


ALL: Final = dict(commands(typer.main.get_command(main.app)))


@pytest.mark.parametrize("names", [names for names in ALL if names[0] not in PROCESSES], ids=" ".join)
def test_what_ends_can_say_it_as_json(names: tuple[str, ...]) -> None:
    flags = {flag for parameter in ALL[names].params for flag in parameter.opts}
    assert "--json" in flags


def test_every_line_of_the_list_of_commands_is_whole() -> None:
    """On a terminal of 80 columns."""
    lines = {name: command.get_short_help_str(66) for name, command in ALL.items()}
    lines |= {(name,): line for name, (_, line) in main.COMMANDS.items()}
    assert [name for name, line in lines.items() if line.endswith("...") or len(line) > 66] == []


@pytest.mark.parametrize(("word", "said"), [("listn", "did you mean listen?"), ("xyzzy", "lists them")])
def test_a_command_that_there_is_not(
    word: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["steno", word])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
