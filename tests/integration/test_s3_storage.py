"""Files of jobs in a bucket: on moto, a server that speaks S3."""

import os
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest

from shared.errors import NotFound, StorageFull
from shared.jobs import JobOptions
from shared.storage import JobStorage
from shared.transcript import Segment, Transcript
from tests.support.file_jobs import decoding, edge
from tests.support.media import write_media

pytestmark = [
    pytest.mark.anyio,
    # Of botocore and the server, in what they do with their own sockets at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
JOB = "0" * 31 + "1"
OTHER = "0" * 31 + "2"


@pytest.fixture(scope="module")
def server() -> Generator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty folder in a bucket; this process and its children know the server."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(f"steno-{(name := uuid.uuid4().hex)}")
    return f"s3://steno-{name}/jobs"


def keep(storage: JobStorage, job: str, data: bytes) -> None:
    writer = storage.begin(job)
    for at in range(0, len(data), 1_000_000):
        writer.write(data[at : at + 1_000_000])
    assert not storage.has_input(job)
    writer.commit()
    storage.write_options(job, JobOptions(language="de"))


def test_files_are_kept_found_and_deleted(bucket: str) -> None:
    storage = JobStorage(bucket)
    data = bytes(range(256)) * 80_000  # in several parts
    keep(storage, JOB, data)
    keep(storage, OTHER, b"small")
    with storage.opened_input(JOB) as file:
        assert not isinstance(file, Path)
        assert file.read() == data
    assert JobStorage(bucket).options(JOB) == JobOptions(language="de")
    result = Transcript(language="de", duration=1.0, segments=(Segment(start=0, end=1, text="größer"),))
    storage.write_result(JOB, result)
    assert JobStorage(bucket).read_result(JOB) == result
    storage.drop_input(JOB)
    assert not storage.has_input(JOB)
    for _ in range(2):
        storage.delete(JOB)
    with pytest.raises(NotFound):
        storage.options(JOB)
    assert storage.has_input(OTHER)


def test_an_upload_that_is_given_up_leaves_nothing(bucket: str) -> None:
    storage = JobStorage(bucket)
    for size in (10, 20_000_000):
        writer = storage.begin(JOB)
        writer.write(b"x" * size)
        writer.discard()
        assert not storage.has_input(JOB)
    assert storage.sweep(older_than_s=-1e9, now_s=2e9) == 0


def test_the_quota_counts_what_is_in_the_bucket(bucket: str) -> None:
    keep(JobStorage(bucket), JOB, b"x" * 1500)
    writer = JobStorage(bucket, bytes_max=2000).begin(OTHER)
    with pytest.raises(StorageFull):
        writer.write(b"x" * 600)
    writer.discard()


def test_the_sweep_knows_ages(bucket: str) -> None:
    import time

    storage = JobStorage(bucket)
    keep(storage, JOB, b"x")
    assert storage.sweep(older_than_s=3600, now_s=time.time()) == 0
    assert storage.sweep(older_than_s=3600, now_s=time.time() + 7200) == 1
    assert not storage.has_input(JOB)


async def test_a_job_runs_from_a_bucket(bucket: str, redis_url: str, data_dir: Path, tmp_path: Path) -> None:
    from tests.support.data import clip

    path = write_media(tmp_path / "talk.mp4", clip("en_twain").samples())
    told = {"STENO_STORAGE_URL": bucket}
    async with edge(redis_url, data_dir, storage_url=bucket, settings=told) as desk:
        async with decoding(redis_url):
            job = await desk.submit(path)
            log = await desk.work()
        assert (await desk.job(job))["status"] == "finished", log
        assert (await desk.http.get(f"/v1/jobs/{job}/result")).json()["text"] == "window 0"
        assert not desk.storage.has_input(job)
        refused = await desk.post(b"not audio")
        assert refused.json()["error"]["code"] == "bad_audio"
        assert (await desk.http.delete(f"/v1/jobs/{job}")).status_code == 204
        assert desk.storage.sweep(older_than_s=-1e9, now_s=2e9) == 0
    assert not any(files for _, _, files in os.walk(data_dir))
