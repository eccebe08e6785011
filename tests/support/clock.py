"""A machine whose clock is wrong: for a server that reads wall-clock time through the C library.

libfaketime stands in front of the C library's clocks and reads the offset from a file each time, so that a
running process sees its clock leap. Monotonic clocks stay as they are, as they do when a machine's time is
set. Linux only; the package brings the library for x86-64.
"""

import importlib.util
import platform
from collections.abc import Mapping
from pathlib import Path


class Clock:
    """Wall-clock time for processes that are started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.offset_s = 0.0
        self.leap(0.0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process has to be started with."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def leap(self, by_s: float) -> None:
        """Set it forward, or back."""
        self.offset_s += by_s
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.offset_s:+.3f}\n")
        new.replace(self._file)


def can_leap() -> bool:
    """Whether this machine can run processes with a clock of their own."""
    return platform.system() == "Linux" and platform.machine() == "x86_64" and _library().exists()


def _library() -> Path:
    spec = importlib.util.find_spec("libfaketime")
    root = Path(spec.origin).parent if spec and spec.origin else Path()
    return root / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
