"""Copies what a virtual environment needs to run, and nothing else, into a directory that becomes an image:
the interpreter, the standard library, the native libraries that something links to. No shell, no package
manager, no headers; the image's size does not depend on the base that it was built on.

    python deploy/images/rootfs.py VENV ROOTFS

What belongs to the user that it runs as goes into ROOTFS.owned.
Runs in a build stage, on Debian or Ubuntu, as root. For every Debian package of which a file is copied its
record goes into var/lib/dpkg/status.d, where scanners look, and all components into sbom.json (CycloneDX).
"""

import compileall
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path

USER_ID = 10001
_LEFT_OUT = {
    "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data",
    "site-packages", "dist-packages", "__pycache__",
}  # fmt: skip
_ETC = (
    "etc/ld.so.cache",
    "etc/nsswitch.conf",
    "etc/os-release",
    "etc/debian_version",
    "etc/ssl/certs/ca-certificates.crt",
)
_LIBRARY = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")


def main(venv: Path, rootfs: Path) -> None:
    """Fill `rootfs`."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    executable = Path(sys.executable).resolve()
    copied = [executable]
    _copy_tree(stdlib, rootfs, lambda name: name in _LEFT_OUT or name.startswith("config-"))
    _copy_tree(venv, rootfs, lambda _name: False)
    # The root is read-only, so that nobody could keep byte code later.
    compileall.compile_dir(_in(rootfs, stdlib), stripdir=str(rootfs), prependdir="/", quiet=1)
    _copy(executable, rootfs)
    # The environment's interpreter is a link to this one, by the name that it was made with.
    if (name := _in(rootfs, Path(sys.executable))) != _in(rootfs, executable):
        name.symlink_to(executable)
    for library in sorted(_libraries([executable, *_native(stdlib), *_native(venv)], venv)):
        copied.append(_copy(library, rootfs))
    for name in _ETC:
        if (path := Path("/", name)).exists():
            _copy(path, rootfs)
    _write_accounts(rootfs)
    packages = _debian_packages(copied)
    for package, record in packages.items():
        path = rootfs / "var/lib/dpkg/status.d" / package
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record)
    (rootfs / "sbom.json").write_text(json.dumps(_sbom(venv, packages), indent=1))


def _in(rootfs: Path, path: Path) -> Path:
    return rootfs / path.relative_to("/")


def _copy_tree(source: Path, rootfs: Path, is_left_out: Callable[[str], bool]) -> None:
    shutil.copytree(
        source,
        _in(rootfs, source),
        symlinks=True,
        dirs_exist_ok=True,
        ignore=lambda _folder, names: {name for name in names if is_left_out(name)},
    )


def _copy(path: Path, rootfs: Path) -> Path:
    """Copy a file to the same place, following links. Returns where it really is."""
    target = _in(rootfs, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target)
    return path.resolve()


def _native(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.so*"):
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(folder).parts[:-1]) - {"site-packages"}:
            yield path


def _libraries(files: list[Path], venv: Path) -> set[Path]:
    """What the files link to outside of `venv`, and the loader. One that is missing is left to the check of
    the image (deploy/images/check_libraries.py)."""
    found: set[Path] = set()
    for file in files:
        done = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False)
        found |= {Path(path) for path in _LIBRARY.findall(done.stdout)}
    return {path for path in found if not path.is_relative_to(venv)}


def _write_accounts(rootfs: Path) -> None:
    (rootfs / "etc/passwd").write_text(
        f"root:x:0:0:root:/:/sbin/nologin\nsteno:x:{USER_ID}:{USER_ID}::/home/steno:/sbin/nologin\n"
    )
    (rootfs / "etc/group").write_text(f"root:x:0:\nsteno:x:{USER_ID}:\n")
    (rootfs / "tmp").mkdir()
    (rootfs / "tmp").chmod(0o1777)
    # Copied by a line of its own, because copying into an image makes all else root's.
    for name in ("data", "home/steno"):
        (rootfs.with_suffix(".owned") / name).mkdir(parents=True)


def _debian_packages(files: list[Path]) -> dict[str, str]:
    """The records of the packages that the files are from, by name."""
    names: set[str] = set()
    for file in files:
        for path in {str(file), str(file).removeprefix("/usr")}:
            done = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                names.add(done.stdout.split(":")[0])
    return {
        name: subprocess.run(["dpkg-query", "-s", name], capture_output=True, text=True, check=True).stdout
        for name in sorted(names)
    }


def _sbom(venv: Path, packages: dict[str, str]) -> dict[str, object]:
    components = [
        {
            "type": "library",
            "name": d.name,
            "version": d.version,
            "purl": f"pkg:pypi/{d.name.lower()}@{d.version}",
        }
        for d in distributions(path=[str(p) for p in venv.glob("lib/python3*/site-packages")])
    ]
    for name, record in packages.items():
        version = re.search(r"^Version: (.+)$", record, re.MULTILINE)
        number = version[1] if version else ""
        components.append(
            {"type": "library", "name": name, "version": number, "purl": f"pkg:deb/debian/{name}@{number}"}
        )
    components.sort(key=lambda component: component["purl"])
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
