"""What can't be served is refused at the door, with a reason, and leaves nothing behind."""

import asyncio
import io
import resource
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from shared.redis.embedded import EmbeddedServer
from shared.redis.presence import Presence, WorkerPresence
from tests.support.file_jobs import UPLOAD_BYTES_MAX, Edge, edge
from tests.support.media import tone, write_media, write_silent_video
from tests.support.service import Service

pytestmark = pytest.mark.anyio
UNKNOWN = "0" * 32


def zipped(data: bytes) -> bytes:
    """An archive, of a thousandth of that size when it is zeros."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", data)
    return file.getvalue()


@pytest.fixture
async def desk(redis_url: str, data_dir: Path) -> AsyncGenerator[Edge]:
    async with edge(redis_url, data_dir) as desk:
        yield desk


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    return write_media(tmp_path / "a.wav", tone(0.5)).read_bytes()


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The message of an error of that kind."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    return answer.json()["error"]["message"]


def files(desk: Edge) -> list[Path]:
    return list(desk.data_dir.glob("jobs/*"))


def no_trace(desk: Edge) -> None:
    assert files(desk) == []
    assert not list(desk.redis.scan_iter("rq:job:*"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"Dear Sir or Madam, " * 100, "not audio"),
        (np.random.default_rng(5).bytes(30_000), "audio"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "cut off"),
        (zipped(bytes(4_000_000)), "not audio"),
    ],
    ids=["zero bytes", "text", "noise", "truncated header", "zip"],
)
async def test_what_is_not_audio_is_refused_at_once(desk: Edge, data: bytes, reason: str) -> None:
    assert reason in refused(await desk.post(data), 400, "bad_audio")
    no_trace(desk)


async def test_a_video_without_sound_is_refused(desk: Edge, tmp_path: Path) -> None:
    video = write_silent_video(tmp_path / "mute.mp4").read_bytes()
    assert "no audio stream" in refused(await desk.post(video), 400, "bad_audio")
    no_trace(desk)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"language": "klingon"}, "language"),
        ({"task": "sing"}, "task"),
        ({"words": "perhaps"}, "words"),
        ({"prompt": "x" * 3000}, "prompt"),
        ({"langauge": "en"}, "langauge"),
    ],
)
async def test_a_wrong_field_is_named(desk: Edge, wav: bytes, fields: dict[str, str], reason: str) -> None:
    assert reason in refused(await desk.post(wav, **fields), 400, "bad_parameter")
    no_trace(desk)


async def test_a_model_that_no_worker_has_is_refused(desk: Edge, wav: bytes, redis_url: str) -> None:
    from shared.redis.connection import connect

    client = connect(redis_url)
    worker = WorkerPresence(worker="w", model="base", device="cpu", capacity=1, active=0, languages=("en",))
    await Presence(client).beat(worker)
    assert "large-v3" in refused(await desk.post(wav, model="large-v3"), 400, "bad_parameter")
    assert (await desk.post(wav, model="base")).status_code == 202
    await client.aclose()


async def test_a_form_without_a_file_is_refused(desk: Edge) -> None:
    refused(await desk.http.post("/v1/jobs", data={"language": "en"}), 400, "bad_parameter")
    refused(await desk.http.post("/v1/jobs", content=b"RIFF"), 400, "bad_parameter")
    refused(await desk.http.post("/v1/jobs", json={"file": "a.wav"}), 400, "bad_parameter")
    broken = {"content-type": "multipart/form-data; boundary=x"}
    refused(await desk.http.post("/v1/jobs", content=b"--y\r\n", headers=broken), 400, "bad_request")


async def test_too_large_a_file_is_refused_before_it_is_read(desk: Edge) -> None:
    """By what it says of its length, and by its length when it says nothing or lies."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            sent += 1_000_000
            yield b"\0" * 1_000_000

    head = {"content-type": "multipart/form-data; boundary=x"}
    too_long = {**head, "content-length": str(UPLOAD_BYTES_MAX * 2)}
    answer = await desk.http.post("/v1/jobs", content=b"", headers=too_long)
    assert str(UPLOAD_BYTES_MAX) in refused(answer, 413, "too_large")
    refused(await desk.http.post("/v1/jobs", content=endless(), headers=head), 413, "too_large")
    assert sent < 2 * UPLOAD_BYTES_MAX
    refused(await desk.post(b"\0" * (UPLOAD_BYTES_MAX + 1)), 413, "too_large")
    no_trace(desk)


@pytest.mark.parametrize("job", [UNKNOWN, "x", "..%2F..%2Fetc", "0" * 31 + "*"])
async def test_a_job_that_is_not_there_is_not_found(desk: Edge, job: str) -> None:
    for answer in await asyncio.gather(
        desk.http.get(f"/v1/jobs/{job}"),
        desk.http.get(f"/v1/jobs/{job}/result"),
        desk.http.delete(f"/v1/jobs/{job}"),
    ):
        refused(answer, 404, "not_found")


async def test_a_queued_job_has_no_result_yet(desk: Edge, wav: bytes) -> None:
    job = (await desk.post(wav)).json()["id"]
    answer = await desk.http.get(f"/v1/jobs/{job}/result")
    assert "queued" in refused(answer, 409, "not_finished")
    assert answer.headers["retry-after"] == "1"
    answer = await desk.http.get(f"/v1/jobs/{job}/result", params={"format": "pdf"})
    assert "srt" in refused(answer, 400, "bad_parameter")


async def test_a_lost_redis_is_said_and_the_upload_is_not_kept(data_dir: Path, wav: bytes) -> None:
    server = EmbeddedServer()
    server.start()
    async with edge(server.url, data_dir) as desk:
        server.stop()
        answer = await desk.post(wav)
        assert "Redis" in refused(answer, 503, "broker_lost")
        assert answer.json()["error"]["retryable"] is True
        refused(await desk.http.get(f"/v1/jobs/{UNKNOWN}"), 503, "broker_lost")
        assert files(desk) == []


async def test_many_uploads_at_once_all_become_jobs(desk: Edge, wav: bytes) -> None:
    answers = await asyncio.gather(*(desk.post(wav) for _ in range(12)))
    assert len({answer.json()["id"] for answer in answers}) == 12


async def test_more_jobs_than_may_wait_are_refused_and_urgent_ones_are_not(
    redis_url: str, data_dir: Path, wav: bytes
) -> None:
    async with edge(redis_url, data_dir, waiting_max=3) as desk:
        answers = await asyncio.gather(*(desk.post(wav) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {202}
        answer = await desk.post(wav, idempotency_key="k")
        assert "too many jobs" in refused(answer, 503, "no_capacity")
        assert int(answer.headers["retry-after"]) > 0
        assert len(files(desk)) == 3
        assert (await desk.post(wav, priority="interactive")).status_code == 202
        await desk.work()
        assert (await desk.post(wav, idempotency_key="k")).status_code == 202


async def test_a_full_storage_is_said_and_nothing_is_kept(redis_url: str, data_dir: Path, wav: bytes) -> None:
    async with edge(redis_url, data_dir, bytes_max=len(wav) + 5_000) as desk:
        first = await desk.post(wav)
        assert first.status_code == 202
        answer = await desk.post(wav)
        assert "full" in refused(answer, 507, "storage_full")
        assert answer.json()["error"]["retryable"] is True
        assert answer.headers["retry-after"] == "60"
        assert [path.name for path in files(desk)] == [first.json()["id"]]
        assert (await desk.job(first.json()["id"]))["status"] == "queued"


async def test_an_upload_that_the_disk_does_not_take_is_refused_and_leaves_nothing(
    desk: Edge, tmp_path: Path
) -> None:
    """A limit of this process stands for a disk that is full: the system refuses to write further."""
    large = write_media(tmp_path / "a.wav", tone(120.0)).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        answer = await desk.post(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "disk" in refused(answer, 503, "unavailable")
    assert answer.json()["error"]["retryable"] is True
    no_trace(desk)
    assert (await desk.post(large)).status_code == 202


async def test_a_name_leads_nowhere(desk: Edge, wav: bytes) -> None:
    for name in ("../../../../etc/passwd", "/etc/passwd", "a\x00b.wav", "..", "C:\\x\\y.wav", "%2e%2e%2fx"):
        answer = await desk.http.post("/v1/jobs", files={"file": (name, wav)})
        assert answer.status_code == 202, answer.text
        assert not {"/", "\\", "\0"} & set(answer.json().get("name", ""))
    found = {str(path.relative_to(desk.data_dir)) for path in desk.data_dir.rglob("*") if path.is_file()}
    assert {name.split("/")[-1] for name in found} == {"input", "options.json"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"track": "1"}, "below 1"),
        ({"track": "first"}, "track"),
        ({"track": "99"}, "track"),
        ({"channels": "left"}, "mix, split"),
        ({"max_lines": "0"}, "max_lines"),
        ({"priority": "now"}, "interactive"),
        ({"diarize": "1", "channels": "split"}, "diarize"),
        ({"diarize": "perhaps"}, "diarize"),
        ({"format": "docx"}, "srt"),
        ({"idempotency_key": "k" * 300}, "idempotency_key"),
    ],
)
async def test_a_wrong_option_of_the_job_is_named(
    desk: Edge, wav: bytes, fields: dict[str, str], reason: str
) -> None:
    assert reason in refused(await desk.post(wav, **fields), 400, "bad_parameter")
    no_trace(desk)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (b'name="file"; filename="a"\r\n\r\nx\r\n--x\r\n%b name="file"; filename="b"', "one file"),
        (b'name="words"; filename="a"', "may hold a file"),
        (b'name="file"', "must be a file"),
        (b'name="language"\r\n\r\nen\r\n--x\r\n%b name="language"', "twice"),
        (b'name="prompt"\r\n\r\n\xff', "UTF-8"),
    ],
)
async def test_a_form_that_says_two_things_is_refused(desk: Edge, parts: bytes, reason: str) -> None:
    head = b"Content-Disposition: form-data;"
    body = b"--x\r\n" + head + b" " + parts.replace(b"%b", head) + b"\r\n\r\nx\r\n--x--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert reason in refused(
        await desk.http.post("/v1/jobs", content=body, headers=kind), 400, "bad_parameter"
    )
    no_trace(desk)


async def test_a_client_that_goes_away_in_mid_upload_leaves_nothing(service: Service) -> None:
    jobs = Path(service.environment["STENO_DATA_DIR"]) / "jobs"
    before = set(jobs.glob("*"))
    _, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(2_000_000)
    )
    await writer.drain()
    async with asyncio.timeout(30):
        while set(jobs.glob("*")) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        writer.close()
        while set(jobs.glob("*")) != before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    assert "Traceback" not in service.log.read_text(), "it is no fault of the server"
