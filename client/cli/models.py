"""`steno models`: what models there are, and fetching one before it is needed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from client.cli.interrupt import raise_on_terminate
from shared.errors import BadParameter, ModelUnavailable

app = typer.Typer(
    help="List models and fetch them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """Show models, where each comes from, and which are here."""
    from shared.models import ALIASES, default_cache_dir
    from shared.models.catalogue import PACKAGED
    from shared.models.resolver import is_cached

    if as_json:
        rows = [
            {"name": name, "repository": repo, "packaged": repo in PACKAGED, "here": is_cached(name)}
            for name, repo in ALIASES.items()
        ]
        print(json.dumps(rows, indent=1))
        return
    for name, repo in ALIASES.items():
        source = "package index, hub" if repo in PACKAGED else "hub"
        here = "here" if is_cached(name) else ""
        print(f"{name:<18} {repo:<45} {source:<19} {here}".rstrip())
    print(f"\nPackaged weights are kept in {default_cache_dir()}, others in the hub's cache.")


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Short name, hub repository, or directory of a model.")],
    target: Annotated[Path, typer.Argument(help="Directory to be made.")],
    as_json: Annotated[bool, typer.Option("--json", help="Say as JSON where it is.")] = False,
) -> None:
    """Write a model as the transformers library has it."""
    from shared.models import resolve
    from shared.models.exported import export as write
    from shared.models.files import is_transformers

    found = resolve(name)
    if is_transformers(found.path):
        raise ModelUnavailable(f"{found.path} is a directory of the transformers library already")
    if target.exists():
        raise BadParameter(f"{target} is there already")
    write(found.path, target)
    print(json.dumps({"name": name, "path": str(target)}) if as_json else f"{name} is in {target}")


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="Short name, hub repository, or voices.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Say as JSON where it is.")] = False,
) -> None:
    """Fetch a model, so that the service starts without the network. Without a name, the one in
    STENO_MODEL."""
    from rich.console import Console

    from shared.models import resolve, voices
    from shared.settings import load_settings

    raise_on_terminate()
    if name == "voices":
        path = voices()
        print(
            json.dumps({"name": name, "path": str(path)})
            if as_json
            else f"voices (tells speakers apart) is in {path}"
        )
        return
    name = name or load_settings().model
    with Console(stderr=True).status(f"fetching {name}"):
        found = resolve(name)
    if as_json:
        print(json.dumps({"name": name, "path": str(found.path), "multilingual": found.multilingual}))
        return
    languages = "multilingual" if found.multilingual else "English only"
    print(f"{name} ({languages}) is in {found.path}")
