"""`steno keys`: make API keys, and the entries that let them in without holding them."""

import hashlib
import json
import re
import secrets
import sys
from typing import Annotated, Final

import typer

from shared.errors import BadParameter

_SCOPES: Final = ("live", "files", "read")
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY_BYTES: Final = 32

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.command()
def new(
    tenant: Annotated[str, typer.Argument(help="Whose it is.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What for: {', '.join(_SCOPES)}; may be repeated. All by default."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write key and entry as JSON.")] = False,
) -> None:
    """Make a key. It is written to standard output, once; its entry for STENO_API_KEYS_FILE to standard
    error."""
    key = f"sk-steno-{secrets.token_urlsafe(_KEY_BYTES)}"
    line = entry(key, tenant, scope or [])
    if as_json:
        print(json.dumps({"key": key, "entry": line}))
        return
    print(key)
    print(f"Keep it: nothing else holds it. The line for STENO_API_KEYS_FILE:\n{line}", file=sys.stderr)


@app.command("hash")
def hashed(
    tenant: Annotated[str, typer.Argument(help="Whose it is.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="What for; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the entry as JSON.")] = False,
) -> None:
    """Write the entry for a key that is read from standard input."""
    line = entry(sys.stdin.readline().strip(), tenant, scope or [])
    print(json.dumps({"entry": line}) if as_json else line)


def entry(key: str, tenant: str, scopes: list[str]) -> str:
    """The line of a file of keys. Raises `BadParameter`."""
    if not key:
        raise BadParameter("there is no key on standard input")
    if tenant and not _TENANT.fullmatch(tenant):
        raise BadParameter("a tenant is letters, digits, '.', '_' and '-', at most 64")
    if unknown := set(scopes).difference(_SCOPES):
        raise BadParameter(f"scope {min(unknown)!r} is not known; there are {', '.join(_SCOPES)}")
    if scopes and not tenant:
        raise BadParameter("a key with scopes needs a tenant")
    name = f"{tenant}/{'+'.join(dict.fromkeys(scopes))}" if scopes else tenant
    digest = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    return f"{name}:{digest}" if name else digest
