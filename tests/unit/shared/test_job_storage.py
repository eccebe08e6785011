"""Uploads and results appear whole, are found again, and go away."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import BadParameter, NotFound, StorageFull
from shared.events import Word
from shared.files import Entry, Files
from shared.jobs import JobOptions, file_name, status_word
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


def keep(storage: JobStorage, job: str, data: bytes = b"x", options: JobOptions | None = None) -> Path:
    """A complete upload with its options. Returns where it lies."""
    writer = storage.begin(job)
    writer.write(data)
    writer.commit()
    storage.write_options(job, options or JobOptions())
    with storage.opened_input(job) as path:
        assert isinstance(path, Path)
        return path


@pytest.fixture
def storage(tmp_path: Path) -> JobStorage:
    return JobStorage(f"file://{tmp_path}/jobs")


def test_an_upload_and_its_options_are_found_again(storage: JobStorage) -> None:
    options = JobOptions(language="de", prompt="Müller", words=True)
    path = keep(storage, JOB, b"x" * 3_000_000, options)
    assert path.read_bytes() == b"x" * 3_000_000
    assert storage.options(JOB) == options
    assert not storage.has_result(JOB)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_result_is_found_again(storage: JobStorage) -> None:
    keep(storage, JOB)
    storage.write_result(JOB, RESULT)
    assert storage.has_result(JOB)
    assert storage.read_result(JOB) == RESULT


def test_an_upload_that_fails_half_way_leaves_no_file(storage: JobStorage, tmp_path: Path) -> None:
    writer = storage.begin(JOB)
    writer.write(b"half")
    assert not storage.has_input(JOB)
    writer.discard()
    assert list((tmp_path / "jobs" / JOB).iterdir()) == []
    with pytest.raises(NotFound), storage.opened_input(JOB):
        pass


def test_what_is_over_the_quota_is_refused_until_something_goes(tmp_path: Path) -> None:
    now_s = 0.0
    storage = JobStorage(f"file://{tmp_path}/jobs", bytes_max=2000, clock=lambda: now_s)
    keep(storage, JOB, b"x" * 1500)
    writer = storage.begin(OTHER)
    writer.write(b"y" * 300)
    with pytest.raises(StorageFull) as caught:
        writer.write(b"y" * 300)
    assert caught.value.retry_after_s
    writer.discard()
    # A result is kept whatever the quota says.
    storage.write_result(JOB, RESULT)
    storage.delete(JOB)
    now_s = 11.0
    keep(storage, OTHER, b"y" * 1500)
    assert JobStorage(f"file://{tmp_path}/jobs", bytes_max=2000).has_input(OTHER)


def test_what_others_stored_counts(tmp_path: Path) -> None:
    keep(JobStorage(f"file://{tmp_path}/jobs"), JOB, b"x" * 1500)
    writer = JobStorage(f"file://{tmp_path}/jobs", bytes_max=2000).begin(OTHER)
    with pytest.raises(StorageFull):
        writer.write(b"y" * 600)
    writer.discard()


def test_a_store_that_is_slow_to_list_is_listed_seldom_and_before_anybody_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, lists = 0.0, 0
    entries = Files.entries

    def slow(files: Files) -> Iterator[Entry]:
        nonlocal now_s, lists
        now_s, lists = now_s + 4.0, lists + 1
        return entries(files)

    monkeypatch.setattr(Files, "entries", slow)
    keep(JobStorage(f"file://{tmp_path}/jobs"), JOB, b"x" * 1500)
    storage = JobStorage(f"file://{tmp_path}/jobs", bytes_max=2000, clock=lambda: now_s)
    writer = storage.begin(OTHER)
    writer.write(b"y")
    for _ in range(19):
        now_s += 10.0
        writer.write(b"y")
    assert lists == 1
    now_s += 11.0
    writer.write(b"y")
    assert lists == 2
    now_s += 11.0
    storage.delete(JOB)
    writer.write(b"y" * 1500)
    assert lists == 3
    with pytest.raises(StorageFull):  # 10 s did not pass
        writer.write(b"y" * 600)
    assert lists == 3
    writer.discard()


def test_one_thread_measures_and_those_that_write_meanwhile_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    listing, may_end = threading.Event(), threading.Event()
    storage = JobStorage(f"file://{tmp_path}/jobs", bytes_max=2000, clock=lambda: now_s)
    writer = storage.begin(OTHER)
    writer.write(b"y" * 500)

    def held(_files: Files) -> Iterator[Entry]:
        listing.set()
        assert may_end.wait(30)
        return iter([Entry("f", 1000, 0.0)])

    monkeypatch.setattr(Files, "entries", held)
    now_s = 11.0
    measuring = threading.Thread(target=writer.write, args=(b"y" * 100,))
    measuring.start()
    assert listing.wait(30)
    other = storage.begin(JOB)
    other.write(b"x" * 600)
    may_end.set()
    measuring.join()
    with pytest.raises(StorageFull):  # 1000 + 600 + 100
        writer.write(b"y" * 301)
    writer.write(b"y" * 300)
    writer.discard()
    other.discard()


def test_a_job_whose_file_is_to_be_fetched_says_from_where(storage: JobStorage) -> None:
    storage.write_options(JOB, JobOptions(), source="https://example.com/a.mp3")
    assert storage.source(JOB) == "https://example.com/a.mp3"
    assert not storage.has_input(JOB)
    keep(storage, OTHER)
    assert storage.source(OTHER) == ""


def test_a_storage_that_is_not_known_is_named() -> None:
    with pytest.raises(BadParameter, match="STENO_STORAGE_URL"):
        JobStorage("gopher://example")


def test_dropping_the_upload_keeps_the_result(storage: JobStorage) -> None:
    keep(storage, JOB)
    storage.write_result(JOB, RESULT)
    for _ in range(2):
        storage.drop_input(JOB)
    with pytest.raises(NotFound, match="gone"), storage.opened_input(JOB):
        pass
    assert storage.read_result(JOB) == RESULT


def test_a_deleted_job_is_gone_and_cannot_get_a_result(storage: JobStorage) -> None:
    keep(storage, JOB)
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
        storage.has_input(job_id)
    with pytest.raises(NotFound):
        storage.delete(job_id)


def test_the_sweep_takes_what_has_not_changed_for_long(storage: JobStorage) -> None:
    assert storage.sweep(older_than_s=1, now_s=1e10) == 0
    old = keep(storage, JOB)
    new = keep(storage, OTHER)
    for path in (old, old.parent / "options.json", old.parent, new.parent, new.parent / "options.json"):
        os.utime(path, (1000, 1000))
    os.utime(new, (1900, 1900))
    assert storage.sweep(older_than_s=500, now_s=2000, is_known=lambda job: job == JOB) == 0
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
        ({"channels": "left"}, "mix, split"),
        ({"priority": "now"}, "interactive, normal, low"),
        ({"track": -1}, "track"),
        ({"format": "docx"}, "format"),
        ({"max_lines": 0}, "max_lines"),
        ({"webhook_url": "ftp://example.com"}, "webhook_url"),
        ({"webhook_url": "https://me:secret@example.com"}, "user name"),
    ],
)
def test_options_that_cannot_be_served_are_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(BadParameter, match=reason):
        JobOptions(**fields)  # pyright: ignore[reportArgumentType]


def test_every_status_of_rq_has_a_word() -> None:
    from rq.job import JobStatus

    words = {status_word(status.value) for status in JobStatus}
    assert words == {"queued", "running", "finished", "failed", "cancelled"}


def test_what_a_killed_edge_left_half_written_is_swept(storage: JobStorage, tmp_path: Path) -> None:
    storage.begin(JOB).write(b"half")
    (half,) = (tmp_path / "jobs" / JOB).iterdir()
    written_s = half.stat().st_mtime
    assert storage.sweep(older_than_s=3600, now_s=written_s + 3000) == 0
    assert storage.sweep(older_than_s=3600, now_s=written_s + 4000) == 1
    assert not (tmp_path / "jobs" / JOB).exists()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("talk.mp3", "talk.mp3"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\talk.wav", "talk.wav"),
        ("a\x1b[2J\nb\u202e.wav", "a[2Jb.wav"),
        ("/", ""),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_file_name_is_only_for_show(given: str, shown: str) -> None:
    assert file_name(given) == shown
