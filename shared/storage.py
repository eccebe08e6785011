"""Files of jobs on disk: uploads, options and results.

    DATA_DIR/jobs/ID/input         what was uploaded, until the job has ended
    DATA_DIR/jobs/ID/options.json  what was asked for
    DATA_DIR/jobs/ID/result.json   the transcript

Each file appears whole or not at all. The edge writes the first two, the jobs worker the last, so both must
see the same directory.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from shared.codec import CodecError, from_map, to_map
from shared.errors import NotFound
from shared.jobs import JobOptions, check_job_id
from shared.transcript import Transcript

_INPUT: Final = "input"
_OPTIONS: Final = "options.json"
_RESULT: Final = "result.json"
_COPY_BYTES: Final = 1024 * 1024


class JobStorage:
    """The files of all jobs under the data directory, readable by this user alone."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "jobs"

    def create(self, job_id: str, upload: IO[bytes], options: JobOptions) -> Path:
        """Keep an upload and its options. Returns where the upload lies."""
        folder = self._folder(job_id)
        folder.mkdir(parents=True, mode=0o700)
        _write(folder / _OPTIONS, lambda file: file.write(options.to_json().encode()))
        _write(folder / _INPUT, lambda file: shutil.copyfileobj(upload, file, _COPY_BYTES))
        return folder / _INPUT

    def input_path(self, job_id: str) -> Path:
        """Where the upload lies. Raises `NotFound` when it is gone."""
        path = self._folder(job_id) / _INPUT
        if not path.is_file():
            raise NotFound("the job's upload is gone; send the file again")
        return path

    def options(self, job_id: str) -> JobOptions:
        """What was asked for. Raises `NotFound`."""
        try:
            return JobOptions.from_json((self._folder(job_id) / _OPTIONS).read_text())
        except FileNotFoundError:
            raise NotFound("the job's upload is gone; send the file again") from None

    def write_result(self, job_id: str, transcript: Transcript) -> None:
        """Keep the transcript. Raises `NotFound` when the job was deleted meanwhile."""
        folder = self._folder(job_id)
        if not folder.is_dir():
            raise NotFound("no such job")
        packed = json.dumps(to_map(transcript), ensure_ascii=False).encode()
        _write(folder / _RESULT, lambda file: file.write(packed))

    def has_result(self, job_id: str) -> bool:
        """Whether there is a transcript."""
        return (self._folder(job_id) / _RESULT).is_file()

    def read_result(self, job_id: str) -> Transcript:
        """The transcript. Raises `NotFound`."""
        try:
            text = (self._folder(job_id) / _RESULT).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFound("the job's result is gone; results are kept for a limited time") from None
        try:
            return from_map(Transcript, json.loads(text))
        except (ValueError, CodecError):
            raise NotFound("the job's result cannot be read by this version; send the file again") from None

    def drop_input(self, job_id: str) -> None:
        """Delete the upload; nothing if it is gone already."""
        (self._folder(job_id) / _INPUT).unlink(missing_ok=True)

    def delete(self, job_id: str) -> None:
        """Delete all files of the job; nothing if they are gone already."""
        shutil.rmtree(self._folder(job_id), ignore_errors=True)

    def sweep(self, *, older_than_s: float, now_s: float) -> int:
        """Delete jobs in which nothing changed for `older_than_s`; `now_s` is seconds of the Unix epoch.
        Returns how many."""
        if not self._root.is_dir():
            return 0
        old = [folder for folder in self._root.iterdir() if now_s - _changed_s(folder) > older_than_s]
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)
        return len(old)

    def _folder(self, job_id: str) -> Path:
        return self._root / check_job_id(job_id)


def _changed_s(folder: Path) -> float:
    """When something in the folder last changed; far in the future when it is just being deleted."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return float("inf")


def _write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, force it to disk, then move it there."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    Path(file.name).replace(path)
