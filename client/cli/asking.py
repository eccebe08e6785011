"""The flags of the commands that ask a server for text: where it is, and how speech is to be written."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from client.cli.stack import address
from shared.settings import load_settings

Task = Literal["transcribe", "translate"]

Url = Annotated[
    str | None,
    typer.Option(envvar="STENO_URL", help="Address of the server; default: the one on this machine."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="STENO_API_KEY", show_envvar=True, help="API key of the server."),
]
Language = Annotated[str, typer.Option(help="Language code, or auto.")]
TaskFlag = Annotated[Task, typer.Option("--task", help="Write what is said, or translate it into English.")]
ModelAsked = Annotated[str, typer.Option("--model", help="Model that must be used; default: the server's.")]
Prompt = Annotated[str, typer.Option(help="Text that the speech is taken to follow: names, spelling.")]
Hotwords = Annotated[str, typer.Option(help="Words that are likely to be spoken.")]
Words = Annotated[bool, typer.Option("--words", help="Ask for words with times; JSON shows them.")]


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and the key that it wants."""

    url: str
    key: str | None = None


def server(url: str | None, key: str | None) -> Server:
    """The server at the address given, else the one started here with the same settings."""
    return Server(url or address(load_settings()), key)
