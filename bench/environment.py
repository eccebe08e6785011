"""Where figures were taken: without this a figure says little."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_PACKAGES = (
    "steno",
    "faster-whisper",
    "ctranslate2",
    "onnxruntime",
    "numpy",
    "websockets",
    "uvicorn",
    "redis",
    "hiredis",
)


def describe() -> dict[str, object]:
    """Processor, memory, versions, and the commit, marked when the working tree has changes."""
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    return {
        "cpu": _cpu(),
        "cores": len(affinity()) if affinity else psutil.cpu_count(),
        "load_before": [round(load, 2) for load in psutil.getloadavg()],
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _commit(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    family = f"family {names.get('cpu family')}, model {names.get('model')}"
    return f"{names.get('model name', platform.machine())} ({family})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    here = Path(__file__).parent
    try:
        command = ["git", "describe", "--always", "--abbrev=12", "--dirty"]
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
