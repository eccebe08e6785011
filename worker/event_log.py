"""The event log: what happened when and at what cost, one JSON object a line, never any text or audio.

Off unless `STENO_EVENT_LOG` names a directory; then every worker writes a file of its own there. It is made
for measuring: `python -m bench.recompute` makes the figures of latency and cost from it. Lines are written by
the event loop, and the file grows with every event; nobody removes it.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from shared.errors import BadParameter

log = logging.getLogger(__name__)

_BUFFER_BYTES: Final = 1 << 16


class EventLog:
    """Lines to one file, or nowhere. `clock` gives the times, in seconds of no particular beginning."""

    def __init__(self, file: IO[str] | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self.clock = clock

    @classmethod
    def in_directory(cls, directory: Path | None, worker: str) -> "EventLog":
        """A worker's own file in the directory, which is made; nowhere without one. Raises `BadParameter`
        when it can't be written."""
        if directory is None:
            return cls()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / f"{worker}.jsonl"
            return cls(path.open("a", encoding="utf-8", buffering=_BUFFER_BYTES))
        except OSError as error:
            raise BadParameter(f"STENO_EVENT_LOG: {directory} can't be written: {error.strerror}") from None

    def write(self, record: str, **fields: object) -> None:
        """Add a line. A disk that is full ends the log, not the service."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps({"record": record, "at_s": round(self.clock(), 6), **fields}) + "\n")
        except OSError as error:
            log.error("the event log ends: %s", error.strerror)
            self._file = None

    def flush(self) -> None:
        """Bring what was written to the file."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                log.error("the event log ends: %s", error.strerror)
                self._file = None

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
