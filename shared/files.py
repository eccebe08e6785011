"""Whole files in folders, on any file system that fsspec knows: a directory, a bucket.

A file appears whole or not at all. On this machine's disk it is written beside its place, forced to disk and
moved there, and folders are readable by this user alone; elsewhere the store itself shows an object only when
it is complete.
"""

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

import fsspec

from shared.errors import BadParameter

_BLOCK_BYTES: Final = 8 * 1024**2
"""What is sent to a store at once; S3 takes 10,000 such parts."""


class Writer(Protocol):
    """A file that is being written. One of `commit` and `discard` ends it."""

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises `OSError`."""
        ...

    def commit(self) -> None:
        """Let the file appear. Raises `OSError`."""
        ...

    def discard(self) -> None:
        """Leave nothing behind."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder's file. `changed_s` is in seconds of the Unix epoch."""

    folder: str
    size_bytes: int
    changed_s: float


class Files:
    """The folders under `url`, which are one level deep; `name` is `FOLDER/FILE`. What a store says against
    a call is raised as `OSError`."""

    def __init__(self, url: str) -> None:
        try:
            # Listings are never kept: other processes write too.
            found: Any = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            raise BadParameter(f"STENO_STORAGE_URL: {error}; for s3:// install steno[s3]") from error
        except ValueError as error:
            raise BadParameter(f"STENO_STORAGE_URL: {error}") from error
        self._fs, root = found
        self._root = str(root).rstrip("/")
        self._local = Path(self._root) if getattr(self._fs, "local_file", False) else None

    def local_path(self, name: str) -> Path | None:
        """Where the file lies on this machine's disk; None if it does not."""
        return None if self._local is None else self._local / name

    def writer(self, name: str) -> Writer:
        """Begin a file. Raises `OSError`."""
        if self._local is not None:
            return _LocalWriter(self._local / name)
        return _StoreWriter(self._open(name, "wb", autocommit=False))

    def write(self, name: str, data: bytes) -> None:
        """A whole small file. Raises `OSError`."""
        writer = self.writer(name)
        try:
            writer.write(data)
        except BaseException:  # whatever it is, and it goes on: no part of a file may stay
            writer.discard()
            raise
        writer.commit()

    def open(self, name: str) -> IO[bytes]:
        """The file for reading and seeking. Raises `FileNotFoundError`."""
        return self._open(name, "rb")

    def read(self, name: str) -> bytes:
        """The whole file. Raises `FileNotFoundError`."""
        with self.open(name) as file:
            return file.read()

    def exists(self, name: str) -> bool:
        """Whether the file is there, whole."""
        return bool(self._fs.isfile(self._path(name)))

    def remove(self, name: str) -> None:
        """Delete a file; nothing if it is gone already."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def remove_folder(self, folder: str) -> None:
        """Delete a folder with all that is in it, half-written files too; nothing if it is gone already."""
        if self._local is not None:
            shutil.rmtree(self._local / folder, ignore_errors=True)
            return
        with suppress(FileNotFoundError):
            self._fs.rm(self._path(folder), recursive=True)

    def entries(self) -> Iterator[Entry]:
        """All files, half-written ones too, in the order of their folders; an empty folder is an entry of no
        bytes."""
        try:
            found: dict[str, dict[str, Any]] = self._fs.find(
                self._root, maxdepth=2, withdirs=self._local is not None, detail=True
            )
        except FileNotFoundError:
            return
        for path, info in sorted(found.items()):
            inside = path[len(self._root) :].strip("/")
            if inside:
                size_bytes = int(info["size"] or 0) if info["type"] == "file" else 0
                yield Entry(inside.split("/")[0], size_bytes, _changed_s(info))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _open(self, name: str, mode: str, **options: object) -> Any:
        return self._fs.open(self._path(name), mode, block_size=_BLOCK_BYTES, **options)


class _LocalWriter:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        # `commit` or `discard` closes it.
        self._file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            Path(self._file.name).replace(self._path)
        except BaseException:  # as in `Files.write`
            self.discard()
            raise

    def discard(self) -> None:
        with suppress(OSError):  # what could not be written before can't be now
            self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


class _StoreWriter:
    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> None:
        try:
            self._file.close()
            self._file.commit()
        except BaseException:  # as in `Files.write`
            self.discard()
            raise

    def discard(self) -> None:
        self._file.discard()
        self._file.closed = True  # else it would be sent when it is collected


def _changed_s(info: dict[str, Any]) -> float:
    """What file systems call the time of the last change differs."""
    for name in ("mtime", "LastModified", "last_modified", "created"):
        value = info.get(name)
        if isinstance(value, dt.datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(cast(float, value))
    # An unknown age is no reason to delete.
    return float("inf")
