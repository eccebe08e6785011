"""Says whether an environment has every native library that its modules need: those that they link to
(DT_NEEDED), and the CUDA libraries that ctranslate2 names in its data and loads by name when it first decodes
on a GPU. Exit status 1 when one is missing.

    python deploy/images/check_libraries.py [--device cpu|cuda] VENV

libcuda.so.1 is the driver's, comes from the host, and is not asked for.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

_CUDA = re.compile(rb"lib(?:cublas|cublasLt|cudnn\w*|cudart|curand|cusparse|cufft|nvrtc)\.so\.\d+")
"""What a program that uses CUDA may load by name; the driver and NCCL (several GPUs for one model) are not
among them."""
_OPTIONAL = {"libcuda.so.1", "libnvidia-ml.so.1"}


def main() -> int:
    """Print what is missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("venv", type=Path)
    arguments = parser.parse_args()
    modules = sorted(p for p in arguments.venv.rglob("*.so*") if p.is_file() and not p.is_symlink())
    missing = linked_but_missing(modules)
    named = named_by_ctranslate2(arguments.venv)
    print(f"ctranslate2 loads by name: {', '.join(sorted(named)) or 'nothing'}")
    if arguments.device == "cuda":
        missing |= {name: "ctranslate2" for name in named if not is_found(name, arguments.venv)}
    for name, module in sorted(missing.items()):
        print(f"missing: {name}, which {module} needs")
    print(f"{len(modules)} modules and libraries looked at, {len(missing)} libraries missing")
    return 1 if missing else 0


def linked_but_missing(modules: list[Path]) -> dict[str, str]:
    """Libraries that the loader does not find, and who needs them. What lies beside a module that brings it
    is found by that module, and so counts as there."""
    beside = {module.name for module in modules}
    missing: dict[str, str] = {}
    for module in modules:
        done = subprocess.run(["ldd", str(module)], capture_output=True, text=True, check=False)
        for name in re.findall(r"(\S+) => not found", done.stdout):
            if name not in beside | _OPTIONAL:
                missing[name] = module.name
    return missing


def named_by_ctranslate2(venv: Path) -> set[str]:
    """Names of CUDA libraries in the library's data."""
    found: set[str] = set()
    for path in venv.glob("lib/python3*/site-packages/ctranslate2*/**/*.so*"):
        found |= {name.decode() for name in _CUDA.findall(path.read_bytes())}
    return found


def is_found(name: str, venv: Path) -> bool:
    """Whether the loader can load it, from the system or from NVIDIA's packages, with all that it needs
    itself."""
    folders = [str(path) for path in venv.glob("lib/python3*/site-packages/nvidia/*/lib")]
    environment = os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(folders)}
    probe = f"import ctypes; ctypes.CDLL({name!r})"
    done = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
