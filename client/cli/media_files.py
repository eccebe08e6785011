"""The media files that the arguments of a command mean, and where the result of each goes."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import BadParameter

# fmt: off
_SUFFIXES: Final = frozenset({
    ".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".avi", ".caf", ".flac", ".flv", ".m4a",
    ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mts", ".oga",
    ".ogg", ".ogv", ".opus", ".ts", ".tta", ".w64", ".wav", ".webm", ".wma", ".wmv", ".wv",
})
# fmt: on
"""What is taken from a directory; a file that is named itself is always taken."""
_LOOK_S: Final = 1.0
"""Between two looks at a directory that is watched."""
_RESULT_SUFFIX: Final = {"verbose_json": "json"}


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file to transcribe, and the folder below the output directory that its result belongs to."""

    path: Path
    folder: Path = Path()


def media_files(arguments: Iterable[Path], *, recursive: bool) -> list[MediaFile]:
    """The files that are meant, each once: those named, and those with a media suffix in directories. What is
    not there is kept: trying to open it says why."""
    found: dict[Path, MediaFile] = {}
    for argument in arguments:
        if argument.is_dir():
            for path in _inside(argument, recursive=recursive):
                found.setdefault(path, MediaFile(path, path.parent.relative_to(argument)))
        else:
            found.setdefault(argument, MediaFile(argument))
    return list(found.values())


def result_paths(files: Sequence[MediaFile], folder: Path, result_format: str) -> dict[Path, Path]:
    """Where each result goes: `talk.srt` for `talk.mp3`, and `talk.mp3.srt` where two files would meet.
    Raises `BadParameter` where they meet all the same."""
    files = list(dict.fromkeys(files))
    stems = Counter(file.folder / file.path.stem for file in files)
    names: dict[Path, Path] = {}
    for file in files:
        stem = file.folder / file.path.stem
        names[file.path] = stem if stems[stem] == 1 else file.folder / file.path.name
    for name, count in Counter(names.values()).items():
        if count > 1:
            raise BadParameter(
                f"{count} files are called {name}; write their results to different directories"
            )
    return {path: folder / _named(name, result_format) for path, name in names.items()}


def whole_name_path(file: MediaFile, folder: Path, result_format: str) -> Path:
    """Where the result goes when other files may come: `talk.mp3.srt` for `talk.mp3`."""
    return folder / _named(file.folder / file.path.name, result_format)


def has_result(path: Path, place: Path) -> bool:
    """Whether there is a result that is newer than the file."""
    try:
        return place.stat().st_mtime >= path.stat().st_mtime
    except OSError:
        return False


async def appearing(arguments: Sequence[Path], *, recursive: bool) -> AsyncGenerator[MediaFile]:
    """Files as they appear, for ever; those that are there already first. A file that changes comes again.
    One that is still being written is waited for: it comes when it is the same at two looks."""
    before: dict[Path, tuple[int, int]] = {}
    given: dict[Path, tuple[int, int]] = {}
    while True:
        now: dict[Path, tuple[int, int]] = {}
        for file in await asyncio.to_thread(media_files, arguments, recursive=recursive):
            if (stamp := _stamp(file.path)) is None:
                continue
            now[file.path] = stamp
            if before.get(file.path) == stamp and given.get(file.path) != stamp:
                given[file.path] = stamp
                yield file
        before = now
        await asyncio.sleep(_LOOK_S)


def _named(name: Path, result_format: str) -> Path:
    return name.with_name(f"{name.name}.{_RESULT_SUFFIX.get(result_format, result_format)}")


def _inside(folder: Path, *, recursive: bool) -> Iterator[Path]:
    paths = folder.rglob("*") if recursive else folder.glob("*")
    for path in sorted(paths):
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of change; None for what is empty or gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if status.st_size else None
