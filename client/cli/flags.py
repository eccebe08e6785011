"""The flags that commands share. Each overrides the environment variable that its help names."""

import os
from pathlib import Path
from typing import Annotated

import typer

Host = Annotated[str | None, typer.Option(help="Address to listen on (STENO_HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on (STENO_PORT).")]
Model = Annotated[str | None, typer.Option(help="Model: name, or path of a directory (STENO_MODEL).")]
Workers = Annotated[int | None, typer.Option(help="Worker processes (STENO_WORKERS).")]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda (STENO_DEVICE).")]
RedisUrl = Annotated[
    str | None, typer.Option(help="Redis to use instead of the embedded server (STENO_REDIS_URL).")
]
CommonRedisUrl = Annotated[
    str | None, typer.Option(help="Redis that all processes of the service use (STENO_REDIS_URL).")
]
DataDir = Annotated[Path | None, typer.Option(help="Where files are kept (STENO_DATA_DIR).")]


def as_environment(**flags: object) -> dict[str, str]:
    """This process's environment, with each flag that was given as its `STENO_` variable."""
    given = {f"STENO_{name.upper()}": str(value) for name, value in flags.items() if value is not None}
    return os.environ | given
