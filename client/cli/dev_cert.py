"""`steno dev-cert`: a certificate for this machine, so that clients that insist on TLS can be tried."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from client.cli import flags
from client.errors import NotInstalled
from shared.errors import BadParameter
from shared.settings import load_settings

_DAYS: Final = 397
"""Some systems refuse certificates that are valid for longer."""
_NAMES: Final = ("localhost", "127.0.0.1", "::1")


def dev_cert(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="More host names and addresses.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory; default: tls in STENO_DATA_DIR.", show_default=False)
    ] = None,
    data_dir: flags.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the paths as JSON.")] = False,
) -> None:
    """Write cert.pem, key.pem and ca.pem for localhost and the names given, and say how they are used. For
    trying things out: the authority's own key is not kept."""
    folder = out or load_settings(data_dir=data_dir).data_dir / "tls"
    try:
        cert, key, ca = _write(folder, list(dict.fromkeys((*_NAMES, *(names or ())))))
    except OSError as error:
        raise BadParameter(f"can't write in {folder} ({error.strerror}); choose another with --out") from None
    if as_json:
        print(json.dumps({"cert": str(cert), "key": str(key), "ca": str(ca)}))
        return
    print(f"export STENO_TLS_CERT={cert} STENO_TLS_KEY={key}   # the server, valid for {_DAYS} days")
    print(f"export SSL_CERT_FILE={ca}   # Python clients, among them steno's own commands")
    print(f"export NODE_EXTRA_CA_CERTS={ca}   # Node clients")


def _write(folder: Path, names: list[str]) -> tuple[Path, Path, Path]:
    try:
        import trustme
    except ImportError:
        raise NotInstalled("dev-cert needs the extra `tls`: pip install 'steno[tls]'") from None
    authority = trustme.CA(organization_name="Steno", organization_unit_name="dev-cert")
    try:
        issued = authority.issue_cert(
            *names,
            organization_name="Steno",
            not_after=dt.datetime.now(dt.UTC) + dt.timedelta(days=_DAYS),
        )
    except ValueError as error:
        raise BadParameter(f"a name is neither a host name nor an address: {error}") from None
    folder.mkdir(parents=True, exist_ok=True)
    cert, key, ca = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.unlink(missing_ok=True)
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(issued.private_key_pem.bytes())
    ca.write_bytes(authority.cert_pem.bytes())
    return cert, key, ca
