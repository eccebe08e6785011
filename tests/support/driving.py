"""Programs that drive official clients against the running service, in processes of their own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMPAT = Path(__file__).parents[1] / "compat"
DRIVERS = COMPAT / "drivers"
PYTHON = str(COMPAT.parents[1] / ".venv-compat" / "bin" / "python")
KEY = "a-key-of-a-test"
_S_MAX = 110


def driven(command: Sequence[str], url: str, *files: Path, ca: Path | None = None) -> Any:
    """What a driver printed, called with address, key and files behind its own arguments. `ca` is an
    authority to trust."""
    parts = [str(DRIVERS / part) if (DRIVERS / part).is_file() else part for part in command]
    trust = {"NODE_EXTRA_CA_CERTS": str(ca), "SSL_CERT_FILE": str(ca)} if ca else {}
    done = subprocess.run(
        [*parts, url, KEY, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=_S_MAX,
        check=False,
        cwd=COMPAT,
        env=os.environ | trust,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
