"""Logging for every process: one line per record on stderr. As text with `extra` fields as key=value behind
the constant message, or as one JSON object a line for whoever collects logs.

Messages and fields never carry transcript text or audio.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {k: v for k, v in vars(record).items() if k not in _STANDARD and not k.startswith("_")}


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line + "".join(f" {k}={v}" for k, v in _fields(record).items())


class _Json(logging.Formatter):
    """`at` (UTC), `level`, `logger`, `message`, the fields, and the stack of an exception as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(_fields(record) | line, default=str)


def configure(level: str, *, as_json: bool = False) -> None:
    """Send all logs of the process to stderr. Libraries are heard from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Text("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("api", "worker", "shared", "client", "assistant", "__main__"):
        logging.getLogger(name).setLevel(level.upper())
