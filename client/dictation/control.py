"""One dictation per user, and how other processes speak to it: a lock, and a socket that only this user can
open.

A request is one word on a line; the answer is one line of JSON. It never holds text.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.errors import Conflict, StenoError, Unavailable

VERBS: Final = ("on", "off", "toggle", "undo", "status", "quit")
Answer = Mapping[str, str | float | int | bool]
_LINE_MAX: Final = 4096
_ANSWER_S_MAX: Final = 5.0


def folder() -> Path:
    """This user's folder for the lock and the socket. Raises `Unavailable` when it is someone else's."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    place = Path(base) / "steno" if base else Path(tempfile.gettempdir()) / f"steno-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    state = place.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise Unavailable(f"{place} can be used by others; remove it")
    return place


@contextlib.contextmanager
def only_one(place: Path) -> Generator[None]:
    """Hold the lock. Raises `Conflict` when another dictation has it. It goes with its process."""
    with (place / "dictation.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("dictation runs already; `steno dictate status` shows it") from None
        yield


@contextlib.asynccontextmanager
async def served(place: Path, answer: Callable[[str], Answer]) -> AsyncGenerator[None]:
    """Answer requests, as long as it lasts. Whoever holds the lock may replace a socket that was left
    behind."""
    path = place / "dictation.sock"
    path.unlink(missing_ok=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S_MAX):
                verb = (await reader.readline()).decode(errors="replace").strip()
                said = (
                    answer(verb)
                    if verb in VERBS
                    else {"error": f"no such request; there are {', '.join(VERBS)}"}
                )
                writer.write(json.dumps(said).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, path, limit=_LINE_MAX)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def ask(place: Path, verb: str) -> dict[str, Any]:
    """Ask the dictation that runs. Raises `Unavailable` when none does."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_S_MAX)
            connection.connect(str(place / "dictation.sock"))
            connection.sendall(verb.encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile().readline(_LINE_MAX))
    except (OSError, ValueError):
        raise Unavailable("dictation does not run; start it with `steno dictate`") from None
    if "error" in answer:
        raise StenoError(str(answer["error"]))
    return answer
