"""File jobs through the client: what the edge may say, and what it never should."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import client.sync
from client import (
    BadAudio,
    BadReply,
    ConnectionLost,
    Job,
    JobFailed,
    JobOptions,
    JobProblem,
    JobProgress,
    JobRecord,
    Jobs,
    NotFound,
    Segment,
    TimedOut,
    Timeout,
    TooLarge,
)
from tests.support.http_stub import Answer, Asked, answering

pytestmark = pytest.mark.anyio


def problem(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "retryable": False}}


async def test_a_file_is_uploaded_with_its_name_and_options(tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"RIFF" * 100_000)
    with answering(lambda _: Answer(202, {"id": "j1", "status": "queued", "progress": 0})) as stub:
        async with Jobs(stub.url) as jobs:
            job = await jobs.submit(path, JobOptions(language="de", words=True))
    (asked,) = stub.asked
    assert job == Job(id="j1", status="queued", progress=0.0)
    assert (asked.method, asked.path) == ("POST", "/v1/jobs")
    assert asked.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="file"; filename="talk.wav"' in asked.body
    assert path.read_bytes() in asked.body
    assert b'name="language"\r\n\r\nde\r\n' in asked.body
    assert b'name="words"\r\n\r\ntrue\r\n' in asked.body
    assert b'name="task"' not in asked.body


async def test_an_open_file_is_read_piece_by_piece() -> None:
    """Never whole into memory, whatever its size."""

    class Watched(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            Watched.largest = max(Watched.largest, len(data))
            return data

    content = bytes(range(256)) * 10_000
    with answering(lambda _: Answer(202, {"id": "j1", "status": "queued", "progress": 0})) as stub:
        async with Jobs(stub.url) as jobs:
            await jobs.submit(Watched(content), name="memory.raw")
    assert content in stub.asked[0].body
    assert b'filename="memory.raw"' in stub.asked[0].body
    assert Watched.largest < len(content) / 10


async def test_waiting_tells_of_progress_and_returns_the_finished_job() -> None:
    looks: Iterator[tuple[str, float]] = iter([("queued", 0), ("running", 0.5), ("finished", 1)])

    def answer(_asked: Asked) -> Answer:
        status, progress = next(looks)
        return Answer(200, {"id": "j1", "status": status, "progress": progress})

    seen: list[float] = []
    with answering(answer) as stub:
        async with Jobs(stub.url) as jobs:
            job = await jobs.wait("j1", on_progress=lambda job: seen.append(job.progress))
    assert (job.status, seen) == ("finished", [0, 0.5, 1])
    assert {asked.path for asked in stub.asked} == {"/v1/jobs/j1"}


async def test_a_failed_job_raises_what_was_wrong_with_it() -> None:
    body = {
        "id": "j1",
        "status": "failed",
        "progress": 0,
        "error": {"code": "bad_audio", "message": "no audio"},
    }
    with answering(lambda _: Answer(200, body)) as stub:
        async with Jobs(stub.url) as jobs:
            assert (await jobs.status("j1")).error == JobProblem(code="bad_audio", message="no audio")
            with pytest.raises(BadAudio, match="no audio"):
                await jobs.wait("j1")


@pytest.mark.parametrize(("status", "words"), [("failed", "job j1 failed"), ("cancelled", "was cancelled")])
async def test_a_job_that_ends_without_a_reason_has_failed(status: str, words: str) -> None:
    with answering(lambda _: Answer(200, {"id": "j1", "status": status, "progress": 0})) as stub:
        async with Jobs(stub.url) as jobs:
            with pytest.raises(JobFailed, match=words):
                await jobs.wait("j1")


async def test_a_job_is_not_waited_for_longer_than_was_asked() -> None:
    with answering(lambda _: Answer(200, {"id": "j1", "status": "running", "progress": 0})) as stub:
        async with Jobs(stub.url, timeout=Timeout(job_s=0.1)) as jobs:
            with pytest.raises(TimedOut, match=r"0\.1 s"):
                await jobs.wait("j1")


async def test_the_result_comes_in_the_format_that_was_asked_for() -> None:
    with answering(
        lambda _: Answer(200, "grüße".encode(), {"Content-Type": "text/plain; charset=utf-8"})
    ) as stub:
        async with Jobs(stub.url) as jobs:
            assert await jobs.result("j1", "srt") == "grüße"
    assert stub.asked[0].path == "/v1/jobs/j1/result?format=srt"


async def test_a_job_is_removed() -> None:
    with answering(lambda _: Answer(204)) as stub:
        async with Jobs(stub.url) as jobs:
            await jobs.remove("j1")
    assert (stub.asked[0].method, stub.asked[0].path) == ("DELETE", "/v1/jobs/j1")


async def test_an_id_never_leads_to_another_path() -> None:
    with answering(lambda _: Answer(404, problem("not_found", "no such job"))) as stub:
        async with Jobs(stub.url) as jobs:
            with pytest.raises(NotFound):
                await jobs.status("../../metrics?x=1")
    assert stub.asked[0].path == "/v1/jobs/..%2F..%2Fmetrics%3Fx%3D1"


async def test_what_the_server_says_against_it_is_raised() -> None:
    with answering(lambda _: Answer(413, problem("too_large", "over 2 GB"), {"Retry-After": "9"})) as stub:
        async with Jobs(stub.url) as jobs:
            with pytest.raises(TooLarge, match="over 2 GB") as caught:
                await jobs.submit(io.BytesIO(b"x"))
    assert caught.value.retry_after_s == 9.0


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status": "queued"}'])
async def test_another_http_server_is_named_as_such(body: bytes) -> None:
    with answering(lambda _: Answer(200, body)) as stub:
        async with Jobs(stub.url) as jobs:
            with pytest.raises(BadReply, match="Steno server"):
                await jobs.status("j1")


async def test_a_server_that_says_nothing_is_not_waited_for_forever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with Jobs(url, timeout=Timeout(silence_s=0.1)) as jobs:
            with pytest.raises(TimedOut, match=url):
                await jobs.status("j1")


async def test_nobody_listening_is_said_with_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with Jobs(url) as jobs:
            with pytest.raises(ConnectionLost, match=url):
                await jobs.status("j1")


async def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    async with Jobs("http://127.0.0.1:9") as jobs:
        with pytest.raises(FileNotFoundError):
            await jobs.submit(tmp_path / "none.wav")


async def test_a_key_goes_along_with_the_file_or_its_address() -> None:
    with answering(lambda _: Answer(202, {"id": "j1", "status": "queued", "progress": 0})) as stub:
        async with Jobs(stub.url) as jobs:
            await jobs.submit(io.BytesIO(b"x"), key="k1")
            await jobs.submit_url("https://example.com/a.mp3", JobOptions(words=True, track=2), key="k2")
    assert [asked.headers["Idempotency-Key"] for asked in stub.asked] == ["k1", "k2"]
    assert json.loads(stub.asked[1].body) == {
        "url": "https://example.com/a.mp3",
        "words": "true",
        "track": "2",
    }


async def test_jobs_are_listed_page_by_page() -> None:
    def answer(asked: Asked) -> Answer:
        row = {"id": "j1" if "cursor=c" in asked.path else "j2", "status": "failed", "progress": 0}
        return Answer(200, {"jobs": [row]} | ({} if row["id"] == "j1" else {"next_cursor": "c"}))

    with answering(answer) as stub:
        async with Jobs(stub.url) as jobs:
            first = await jobs.list(status="failed", limit=1)
            second = await jobs.list(cursor=first.next_cursor)
    assert [job.id for job in (*first.jobs, *second.jobs)] == ["j2", "j1"]
    assert (first.next_cursor, second.next_cursor) == ("c", "")
    assert stub.asked[0].path == "/v1/jobs?status=failed&limit=1"


SEGMENT = b'event: segment\nid: %d\ndata: {"start": %d, "end": 2, "text": "one"}\n\n'
END = b'event: end\ndata: {"id": "j1", "status": "finished", "progress": 1.0}\n\n'


async def test_events_go_on_behind_the_last_segment_after_a_cut() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.headers["Last-Event-ID"] == "0":
            progress = b': hello\n\nevent: progress\ndata: {"status": "running", "progress": 0.5}\n\n'
            return Answer(200, progress + SEGMENT % (1, 0) + b"event: segm")
        return Answer(200, SEGMENT % (2, 1) + END)

    with answering(answer) as stub:
        async with Jobs(stub.url) as jobs:
            events = [event async for event in jobs.events("j1")]
    assert events == [
        JobProgress(status="running", progress=0.5),
        Segment(start=0.0, end=2.0, text="one"),
        Segment(start=1.0, end=2.0, text="one"),
        JobRecord(id="j1", status="finished", progress=1.0),
    ]
    assert [asked.headers["Last-Event-ID"] for asked in stub.asked] == ["0", "1"]


def test_all_of_it_works_without_async() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/events"):
            return Answer(200, SEGMENT % (1, 0) + END)
        if asked.path.endswith("/deliveries"):
            return Answer(200, {"deliveries": [{"id": "msg_1", "url": "https://example.com"}]})
        if asked.path.endswith("/redeliver"):
            return Answer(202, {"id": "msg_1", "url": "https://example.com", "state": "pending"})
        row = {"id": "j1", "status": "failed", "progress": 0}
        return Answer(200, {"jobs": [row]} if asked.path.startswith("/v1/jobs?") else row)

    with answering(answer) as stub, client.sync.Jobs(stub.url) as jobs:
        assert [type(event) for event in jobs.events("j1")] == [Segment, JobRecord]
        assert jobs.list(limit=3).jobs[0].id == "j1"
        found = jobs.find("key")
        assert found is not None
        assert found.status == "failed"
        assert jobs.retry("j1").id == "j1"
        assert jobs.submit_url("https://example.com/a").id == "j1"
        (delivery,) = jobs.deliveries("j1")
        assert jobs.redeliver("j1", delivery.id).state == "pending"
