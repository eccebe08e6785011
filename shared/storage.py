"""Files of jobs: uploads, options and results.

    ID/options.json  what was asked for
    ID/source        the address that the upload is to be fetched from, where there is one
    ID/input         what was uploaded or fetched, until the job has finished
    ID/result.json   the transcript

The edge and the job workers must see the same storage (`STENO_STORAGE_URL`): by default a directory.
"""

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import groupby
from typing import Final

from shared.audio.media import Source
from shared.codec import CodecError, from_map, to_map
from shared.errors import NotFound, StorageFull
from shared.files import Files, Writer
from shared.jobs import JobOptions, check_job_id
from shared.transcript import Transcript

_INPUT: Final = "input"
_SOURCE: Final = "source"
_OPTIONS: Final = "options.json"
_RESULT: Final = "result.json"
_MEASURED_S: Final = 10.0
"""How long a measurement of what is stored holds at least, beside what this process adds to it."""
_MEASURED_PART: Final = 50
"""How long it holds, in times of what it took: a store with very many files is listed for a fiftieth of the
time."""


class JobStorage:
    """The files of all jobs under `url`. `bytes_max` bounds them all together, 0 is no bound; several edges
    may go over it by what they take in between two measurements."""

    def __init__(self, url: str, *, bytes_max: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = Files(url)
        self._quota = _Quota(self._files, bytes_max, clock)

    def begin(self, job_id: str) -> Writer:
        """Begin a job's upload; it is there once it is committed. Writing raises `OSError` and
        `StorageFull`."""
        return _Counted(self._files.writer(_name(job_id, _INPUT)), self._quota)

    def write_options(self, job_id: str, options: JobOptions, *, source: str = "") -> None:
        """Keep what was asked for, and where to fetch the upload from."""
        if source:
            self._files.write(_name(job_id, _SOURCE), source.encode())
        self._files.write(_name(job_id, _OPTIONS), options.to_json().encode())

    @contextmanager
    def opened_input(self, job_id: str) -> Generator[Source]:
        """The upload: its path where it is on this machine's disk, else open for reading. Raises `NotFound`
        when it is gone."""
        name = _name(job_id, _INPUT)
        if not self._files.exists(name):
            raise NotFound("the job's upload is gone; send the file again")
        if (path := self._files.local_path(name)) is not None:
            yield path
            return
        with self._files.open(name) as file:
            yield file

    def has_input(self, job_id: str) -> bool:
        """Whether the upload is there, whole."""
        return self._files.exists(_name(job_id, _INPUT))

    def source(self, job_id: str) -> str:
        """The address that the upload is to be fetched from; empty where there is none."""
        try:
            return self._files.read(_name(job_id, _SOURCE)).decode()
        except FileNotFoundError:
            return ""

    def options(self, job_id: str) -> JobOptions:
        """What was asked for. Raises `NotFound`."""
        try:
            return JobOptions.from_json(self._files.read(_name(job_id, _OPTIONS)).decode())
        except FileNotFoundError:
            raise NotFound("the job's upload is gone; send the file again") from None

    def write_result(self, job_id: str, transcript: Transcript) -> None:
        """Keep the transcript, whatever the quota says: the work is done. Raises `NotFound` when the job was
        deleted meanwhile."""
        if not self._files.exists(_name(job_id, _OPTIONS)):
            raise NotFound("no such job")
        packed = json.dumps(to_map(transcript), ensure_ascii=False).encode()
        self._files.write(_name(job_id, _RESULT), packed)

    def has_result(self, job_id: str) -> bool:
        """Whether there is a transcript."""
        return self._files.exists(_name(job_id, _RESULT))

    def read_result(self, job_id: str) -> Transcript:
        """The transcript. Raises `NotFound`."""
        try:
            text = self._files.read(_name(job_id, _RESULT)).decode()
        except FileNotFoundError:
            raise NotFound("the job's result is gone; results are kept for a limited time") from None
        try:
            return from_map(Transcript, json.loads(text))
        except (ValueError, CodecError):
            raise NotFound("the job's result cannot be read by this version; send the file again") from None

    def drop_input(self, job_id: str) -> None:
        """Delete the upload; nothing if it is gone already."""
        self._files.remove(_name(job_id, _INPUT))

    def delete(self, job_id: str) -> None:
        """Delete all files of the job; nothing if they are gone already."""
        self._files.remove_folder(check_job_id(job_id))

    def sweep(
        self, *, older_than_s: float, now_s: float, is_known: Callable[[str], bool] = lambda _job: False
    ) -> int:
        """Delete jobs in which nothing changed for `older_than_s`, unless they are known still: they wait or
        run. `now_s` is seconds of the Unix epoch. Returns how many."""
        count = 0
        for folder, entries in groupby(self._files.entries(), key=lambda entry: entry.folder):
            changed_s = max(entry.changed_s for entry in entries)
            if now_s - changed_s > older_than_s and not is_known(folder):
                self._files.remove_folder(folder)
                count += 1
        return count


class _Quota:
    """How much more may be stored. What is stored is listed now and then, by one thread, and what is written
    here meanwhile is added; nobody is refused by a list that is older than `_MEASURED_S`."""

    def __init__(self, files: Files, bytes_max: int, clock: Callable[[], float]) -> None:
        self._files = files
        self._bytes_max = bytes_max
        self._clock = clock
        self._lock = threading.Lock()
        self._measuring = threading.Lock()
        self._measured_at_s = float("-inf")
        self._holds_s = 0.0
        self._used_bytes = 0
        self._written_bytes = 0
        """All that was counted here, ever."""

    def take(self, count: int) -> None:
        """Count bytes that are about to be written. Raises `StorageFull`."""
        if not self._bytes_max:
            return
        if self._is_older_than(self._holds_s):
            self._measure(wait=self._measured_at_s == float("-inf"))
        if self._fits(count):
            return
        if self._is_older_than(_MEASURED_S):
            self._measure(wait=True)
            if self._fits(count):
                return
        raise StorageFull(
            "the server's storage for files is full; try again when older jobs have been deleted",
            retry_after_s=60.0,
        )

    def _is_older_than(self, age_s: float) -> bool:
        return self._clock() - self._measured_at_s > age_s

    def _fits(self, count: int) -> bool:
        with self._lock:
            if self._used_bytes + count > self._bytes_max:
                return False
            self._used_bytes += count
            self._written_bytes += count
            return True

    def _measure(self, *, wait: bool) -> None:
        """List what is stored. Without `wait` not if another thread does."""
        seen_s = self._measured_at_s
        if not self._measuring.acquire(blocking=wait):
            return
        try:
            if self._measured_at_s != seen_s:  # another thread did, while this one waited
                return
            began_s, before_bytes = self._clock(), self._written_bytes
            stored_bytes = sum(entry.size_bytes for entry in self._files.entries())
            with self._lock:
                self._used_bytes = stored_bytes + self._written_bytes - before_bytes
            self._measured_at_s = self._clock()
            self._holds_s = max(_MEASURED_S, _MEASURED_PART * (self._measured_at_s - began_s))
        finally:
            self._measuring.release()


class _Counted:
    """A writer whose bytes count against the quota."""

    def __init__(self, writer: Writer, quota: _Quota) -> None:
        self._writer = writer
        self._quota = quota
        self.commit = writer.commit
        self.discard = writer.discard

    def write(self, data: bytes) -> None:
        self._quota.take(len(data))
        self._writer.write(data)


def _name(job_id: str, file: str) -> str:
    return f"{check_job_id(job_id)}/{file}"
