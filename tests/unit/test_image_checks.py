"""deploy/images/check_libraries.py: what an image for CUDA lacks is found before it is built to its end."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "images" / "check_libraries.py"


def check(venv: Path, device: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, "--device", device, venv], capture_output=True, text=True, check=False
    )


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with a library that names what the real one names in its data."""
    folder = tmp_path / "lib/python3.11/site-packages/ctranslate2.libs"
    folder.mkdir(parents=True)
    (folder / "libctranslate2-1.so.4").write_bytes(b"\0libcublas.so.12\0libcudnn_ops.so.9\0libcuda.so.1\0")
    return tmp_path


def test_libraries_that_are_loaded_by_name_are_asked_for_on_cuda_only(venv: Path) -> None:
    done = check(venv, "cpu")
    assert done.returncode == 0, done.stdout
    assert "libcublas.so.12, libcudnn_ops.so.9" in done.stdout
    done = check(venv, "cuda")
    assert done.returncode == 1
    missing = [line for line in done.stdout.splitlines() if line.startswith("missing")]
    assert missing == [
        "missing: libcublas.so.12, which ctranslate2 needs",
        "missing: libcudnn_ops.so.9, which ctranslate2 needs",
    ]


@pytest.mark.slow
def test_the_wheel_that_is_locked_names_libraries_that_are_locked() -> None:
    done = check(Path(sys.prefix), "cpu")
    assert "ctranslate2 loads by name: libcublas.so.12\n" in done.stdout, "see deploy/images/cuda.in"
    lock = (SCRIPT.parents[2] / "requirements-cuda.lock").read_text()
    assert "nvidia-cublas-cu12==12." in lock
