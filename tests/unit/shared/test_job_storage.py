"""Uploads and results appear whole, are found again, and go away."""

import io
import os
import stat
from pathlib import Path
from typing import IO

import pytest

from shared.errors import BadParameter, NotFound
from shared.events import Word
from shared.jobs import JobOptions, status_word
from shared.storage import JobStorage
from shared.transcript import Segment, Transcript

JOB = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
RESULT = Transcript(
    language="fr",
    duration=3.25,
    segments=(
        Segment(
            start=0,
            end=1,
            text="déjà vu",
            words=(Word(text="déjà", start=0, end=0.4, probability=0.9),),
        ),
    ),
)


@pytest.fixture
def storage(tmp_path: Path) -> JobStorage:
    return JobStorage(tmp_path)


def test_an_upload_and_its_options_are_found_again(storage: JobStorage) -> None:
    options = JobOptions(language="de", prompt="Müller", words=True)
    path = storage.create(JOB, io.BytesIO(b"x" * 3_000_000), options)
    assert storage.input_path(JOB) == path
    assert path.read_bytes() == b"x" * 3_000_000
    assert storage.options(JOB) == options
    assert not storage.has_result(JOB)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_result_is_found_again(storage: JobStorage) -> None:
    storage.create(JOB, io.BytesIO(b"x"), JobOptions())
    storage.write_result(JOB, RESULT)
    assert storage.has_result(JOB)
    assert storage.read_result(JOB) == RESULT


def test_an_upload_that_fails_half_way_leaves_no_file(storage: JobStorage, tmp_path: Path) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the disk is full")

    upload: IO[bytes] = Broken()  # pyright: ignore[reportAssignmentType]
    with pytest.raises(OSError, match="disk is full"):
        storage.create(JOB, upload, JobOptions())
    assert [path.name for path in (tmp_path / "jobs" / JOB).iterdir()] == ["options.json"]
    with pytest.raises(NotFound):
        storage.input_path(JOB)


def test_dropping_the_upload_keeps_the_result(storage: JobStorage) -> None:
    storage.create(JOB, io.BytesIO(b"x"), JobOptions())
    storage.write_result(JOB, RESULT)
    for _ in range(2):
        storage.drop_input(JOB)
    with pytest.raises(NotFound, match="gone"):
        storage.input_path(JOB)
    assert storage.read_result(JOB) == RESULT


def test_a_deleted_job_is_gone_and_cannot_get_a_result(storage: JobStorage) -> None:
    storage.create(JOB, io.BytesIO(b"x"), JobOptions())
    for _ in range(2):
        storage.delete(JOB)
    with pytest.raises(NotFound):
        storage.options(JOB)
    with pytest.raises(NotFound):
        storage.write_result(JOB, RESULT)
    with pytest.raises(NotFound):
        storage.read_result(JOB)


@pytest.mark.parametrize("job_id", ["", "..", "../../etc", "A" * 32, "0" * 31, "0" * 32 + "/x"])
def test_only_ids_name_files(storage: JobStorage, job_id: str) -> None:
    with pytest.raises(NotFound):
        storage.input_path(job_id)
    with pytest.raises(NotFound):
        storage.delete(job_id)


def test_the_sweep_takes_what_has_not_changed_for_long(storage: JobStorage) -> None:
    assert storage.sweep(older_than_s=1, now_s=1e10) == 0
    old = storage.create(JOB, io.BytesIO(b"x"), JobOptions())
    new = storage.create(OTHER, io.BytesIO(b"x"), JobOptions())
    for path in (old, old.parent / "options.json", old.parent, new.parent, new.parent / "options.json"):
        os.utime(path, (1000, 1000))
    os.utime(new, (1900, 1900))
    assert storage.sweep(older_than_s=500, now_s=2000) == 1
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"language": "english"}, "language"),
        ({"task": "sing"}, "transcribe, translate"),
        ({"prompt": "x" * 5000}, "prompt"),
        ({"hotwords": "x" * 5000}, "hotwords"),
    ],
)
def test_options_that_cannot_be_served_are_refused(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(BadParameter, match=reason):
        JobOptions(**fields)  # pyright: ignore[reportArgumentType]


def test_every_status_of_rq_has_a_word() -> None:
    from rq.job import JobStatus

    words = {status_word(status.value) for status in JobStatus}
    assert words == {"queued", "running", "finished", "failed", "cancelled"}
