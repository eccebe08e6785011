"""A file is fetched from an address, from hosts that the operator allows and from nowhere else."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from tests.support.file_jobs import UPLOAD_BYTES_MAX, Edge, edge
from tests.support.http_stub import Answer, Asked, answering
from tests.support.media import tone, write_media

pytestmark = pytest.mark.anyio
ALLOWED = {"STENO_FETCH_HOSTS": "127.0.0.1", "STENO_FETCH_PRIVATE": "1"}


@pytest.fixture
async def desk(redis_url: str, data_dir: Path) -> AsyncGenerator[Edge]:
    async with edge(redis_url, data_dir, fetch_hosts=("127.0.0.1",), settings=dict(ALLOWED)) as desk:
        yield desk


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    return write_media(tmp_path / "a.wav", tone(0.5)).read_bytes()


async def submitted(desk: Edge, url: str, **fields: object) -> httpx.Response:
    return await desk.http.post("/v1/jobs", json={"url": url, **fields})


async def ended(desk: Edge, url: str) -> dict[str, object]:
    """The job once it has ended."""
    answer = await submitted(desk, url)
    assert answer.status_code == 202, answer.text
    await desk.work()
    return await desk.job(answer.json()["id"])


async def test_a_file_is_fetched_and_transcribed(desk: Edge, wav: bytes) -> None:
    with answering(lambda _: Answer(200, wav)) as stub:
        job = await ended(desk, f"{stub.url}/talks/talk%201.wav?token=secret")
    assert (job["status"], job["duration"], job["name"]) == ("finished", 0.5, "talk%201.wav")
    assert stub.asked[0].path == "/talks/talk%201.wav?token=secret"
    assert not list(desk.data_dir.glob("jobs/*/input"))


async def test_one_key_is_one_job_also_for_addresses(desk: Edge, wav: bytes) -> None:
    url = "http://127.0.0.1:1/a.wav"
    first, second = [await submitted(desk, url, idempotency_key="k", words=True) for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (await submitted(desk, url + "2", idempotency_key="k", words=True)).status_code == 409


@pytest.mark.slow
async def test_redirects_are_followed_among_allowed_hosts_only(desk: Edge, wav: bytes) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/a":
            return Answer(302, headers={"Location": "/b"})
        if asked.path == "/out":
            return Answer(302, headers={"Location": "http://localhost/"})
        if asked.path == "/round":
            return Answer(302, headers={"Location": "/round"})
        return Answer(200, wav)

    with answering(answer) as stub:
        assert (await ended(desk, f"{stub.url}/a"))["status"] == "finished"
        out = await ended(desk, f"{stub.url}/out")
        endless = await ended(desk, f"{stub.url}/round")
    assert (out["status"], out["error"]["code"]) == ("failed", "bad_parameter")
    assert "does not allow" in out["error"]["message"]
    assert (endless["error"]["code"], "redirects" in endless["error"]["message"]) == ("fetch_failed", True)


@pytest.mark.slow
async def test_what_can_t_be_had_fails_the_job_with_its_reason(desk: Edge) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/a.wav"
        nobody = await ended(desk, dead)
    with answering(lambda asked: Answer(404) if asked.path == "/a" else Answer(200, b"not audio")) as stub:
        missing = await ended(desk, f"{stub.url}/a")
        text = await ended(desk, f"{stub.url}/b")
    assert [job["error"]["code"] for job in (nobody, missing, text)] == [
        "fetch_failed",
        "fetch_failed",
        "bad_audio",
    ]
    assert "404" in missing["error"]["message"]
    assert nobody["error"]["retryable"] is True


async def test_too_large_a_file_is_not_fetched_to_its_end(desk: Edge) -> None:
    desk.settings["STENO_UPLOAD_BYTES_MAX"] = "100000"
    with answering(lambda _: Answer(200, b"\0" * 200_000)) as stub:
        job = await ended(desk, stub.url)
    assert job["error"]["code"] == "too_large"
    assert not list(desk.data_dir.glob("jobs/*/input"))
    assert not list(desk.data_dir.glob("jobs/*/.new-*"))
    assert UPLOAD_BYTES_MAX > 200_000


async def test_a_file_that_trickles_is_given_up_in_time(desk: Edge) -> None:
    """No piece of it keeps the connection silent for long."""

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"\0")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    desk.settings["STENO_FETCH_S_MAX"] = "1"
    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(60):
            job = await ended(desk, f"http://127.0.0.1:{port}/a.wav")
    assert job["error"] == {
        "code": "fetch_failed",
        "message": "the file did not come within 1 s",
        "retryable": True,
    }
    assert not list(desk.data_dir.glob("jobs/*/.new-*"))


async def test_private_addresses_are_refused_even_for_allowed_hosts(desk: Edge, wav: bytes) -> None:
    desk.settings["STENO_FETCH_PRIVATE"] = "0"
    with answering(lambda _: Answer(200, wav)) as stub:
        job = await ended(desk, stub.url)
    assert (job["error"]["code"], stub.asked) == ("bad_parameter", [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"url": "http://example.com/a.wav"}, "does not allow"),
        ({"url": "file:///etc/passwd"}, "https://example.com"),
        ({"url": "http://user:pw@127.0.0.1/"}, "user name"),
        ({}, "url"),
        ({"url": "http://127.0.0.1/", "bogus": 1}, "bogus"),
        ({"url": "http://127.0.0.1/", "words": []}, "words"),
        ({"url": "http://127.0.0.1/", "track": "x"}, "track"),
        ([], "JSON object"),
    ],
)
async def test_a_wrong_request_is_named(desk: Edge, body: object, reason: str) -> None:
    answer = await desk.http.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter"), answer.text
    assert reason in answer.json()["error"]["message"]
    assert not list(desk.data_dir.glob("jobs/*"))


async def test_nothing_is_fetched_unless_the_operator_allows_hosts(redis_url: str, data_dir: Path) -> None:
    async with edge(redis_url, data_dir) as desk:
        answer = await submitted(desk, "https://example.com/a.wav")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")
    assert "allows no hosts" in answer.json()["error"]["message"]
