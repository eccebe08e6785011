"""The `steno` command. Each sub-command is imported when it runs, so that `steno --help` is quick and a
machine that only has the client need not have the server's packages."""

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from shared.errors import StenoError

FAILED_STATUS: Final = 2

COMMANDS: Final = {
    "up": ("client.cli.up:up", "Run the whole service on this machine."),
    "demo": ("client.cli.demo:demo", "Run the service on a bundled clip, then stop it."),
    "listen": ("client.cli.listen:listen", "Transcribe live: a file, standard input or the microphone."),
    "dictate": ("client.cli.dictate:dictate", "Talk, and it types into the app in front."),
    "transcribe": ("client.cli.transcribe:transcribe", "Transcribe files."),
    "jobs": ("client.cli.job_list:app", "List file jobs; show, cancel and retry them."),
    "models": ("client.cli.models:app", "List models and fetch them."),
    "top": ("client.cli.top:top", "Show what a server does: workers, sessions, queues, latency."),
    "keys": ("client.cli.keys:app", "Make API keys, and the entries that let them in."),
    "doctor": ("client.cli.doctor:doctor", "Say what would keep the service from running here."),
    "dev-cert": ("client.cli.dev_cert:dev_cert", "Write a certificate for this machine, to try TLS."),
    "api": ("client.cli.processes:api", "Run one edge."),
    "wyoming": ("client.cli.processes:wyoming", "Run one Wyoming server, for Home Assistant."),
    "worker": ("client.cli.processes:worker", "Run one device worker."),
    "job-worker": ("client.cli.processes:job_worker", "Run one worker for file jobs."),
}
"""Name to where the command is defined, and its line in the help."""


class _Lazily(TyperGroup):
    """A group whose commands are imported when they run, or when the words behind them are completed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the help and the completion of names need of a command."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is to be run; for an unknown one an error that says what may be meant."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS)
            meant = f"did you mean {' or '.join(near)}?" if near else "'steno --help' lists them"
            ctx.fail(f"There is no command '{args[0]}'; {meant}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if command else None, rest


app = typer.Typer(
    cls=_Lazily,
    help="Self-hosted transcription: live speech and files.",
    epilog="Begin with 'steno up'. 'steno COMMAND --help' has the flags.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: an expected error is one line on stderr and exit status 2."""
    try:
        app()
    except StenoError as error:
        print(f"steno: {error}", file=sys.stderr)
        sys.exit(FAILED_STATUS)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"steno {version('steno')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Self-hosted transcription: live speech and files."""


def load(name: str | None) -> Any:
    """A command, imported."""
    target, _ = COMMANDS[name or ""]
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command(name)(function)
    return typer.main.get_command(found)
