"""Logging for every process: one line per record on stderr, `extra` fields as key=value behind the constant
message.

Messages and fields never carry transcript text or audio.
"""

import logging
import sys

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        fields = {k: v for k, v in vars(record).items() if k not in _STANDARD and not k.startswith("_")}
        return line + "".join(f" {k}={v}" for k, v in fields.items())


def configure(level: str) -> None:
    """Send all logs of the process to stderr. Libraries are heard from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("api", "worker", "shared", "client", "__main__"):
        logging.getLogger(name).setLevel(level.upper())
