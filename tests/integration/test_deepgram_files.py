"""Deepgram's `POST /v1/listen` against the running service, scripted engine."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from shared.events import Word
from shared.redis.windows import Window, WindowResult
from tests.integration.test_live_stream import encoded
from tests.support.file_jobs import decoding, edge
from tests.support.http_stub import Answer, answering
from tests.support.media import write_media
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
TALK_S = len(TALK) / 32_000


@pytest.fixture
async def http(service: Service) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    samples = np.frombuffer(TALK, "<i2") / 32767.0
    return write_media(tmp_path_factory.mktemp("media") / "talk.wav", samples).read_bytes()


async def listen(http: httpx.AsyncClient, data: bytes, **query: Any) -> dict[str, Any]:
    answer = await http.post("/v1/listen", content=data, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["dg-request-id"] == answer.json()["metadata"]["request_id"]
    return answer.json()


async def test_a_file_is_answered_with_its_transcript(http: httpx.AsyncClient, wav: bytes) -> None:
    document = await listen(http, wav, model="nova-3", utterances="true", smart_format="true", tag="mine")
    about = document["metadata"]
    assert about["sha256"] == hashlib.sha256(wav).hexdigest()
    assert about["duration"] == pytest.approx(TALK_S, abs=0.01)
    assert about["model_info"][about["models"][0]]["name"] == "tiny.en"
    (reading,) = document["results"]["channels"][0]["alternatives"]
    assert reading["transcript"]
    assert reading["confidence"] > 0
    assert len(reading["words"]) == len(reading["transcript"].split())
    assert " ".join(u["transcript"] for u in document["results"]["utterances"]) == reading["transcript"]


async def test_nothing_is_kept_of_it(http: httpx.AsyncClient, wav: bytes) -> None:
    before = (await http.get("/v1/jobs")).json()["jobs"]
    await listen(http, wav)
    after = (await http.get("/v1/jobs")).json()["jobs"]
    assert [job["id"] for job in after] == [job["id"] for job in before]


@pytest.mark.parametrize("encoding", ["linear16", "mulaw"])
async def test_raw_audio_says_in_the_query_what_it_is(http: httpx.AsyncClient, encoding: str) -> None:
    ours = {"linear16": "pcm16"}.get(encoding, encoding)
    data = encoded(TALK, ours, 8000, 1)
    document = await listen(http, data, encoding=encoding, sample_rate=8000)
    assert document["metadata"]["duration"] == pytest.approx(TALK_S, abs=0.02)
    assert document["metadata"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert document["results"]["channels"][0]["alternatives"][0]["transcript"]


async def test_each_channel_by_itself(http: httpx.AsyncClient, tmp_path: Path) -> None:
    talk = np.frombuffer(TALK, "<i2") / 32767.0
    stereo = write_media(tmp_path / "a.wav", np.stack([talk, 0 * talk])).read_bytes()
    document = await listen(http, stereo, multichannel="true", utterances="true")
    texts = [channel["alternatives"][0]["transcript"] for channel in document["results"]["channels"]]
    assert texts[0]
    assert texts[1:] == [""]
    assert document["metadata"]["channels"] == 2
    assert {u["channel"] for u in document["results"]["utterances"]} == {0}


async def test_text_is_written_as_it_was_asked_for(redis_url: str, data_dir: Path, wav: bytes) -> None:
    """Numbers and profanity as in live streams; and what `detect_language` chooses among reaches decodes."""
    said = "it took twenty five shit days"

    def hear(window: Window) -> WindowResult:
        words = tuple(
            Word(text=word, start=n / 10, end=(n + 1) / 10, probability=0.9)
            for n, word in enumerate(said.split())
        )
        return WindowResult(number=window.number, language="en", text=said, words=words)

    asked = (
        ({"smart_format": "true"}, "it took 25 shit days"),
        ({"numerals": "true", "profanity_filter": "true"}, "it took 25 s*** days"),
        ({"detect_language": ["de", "en"], "profanity_filter": "true"}, "it took twenty five s*** days"),
        ({}, said),
    )
    async with edge(redis_url, data_dir) as desk, decoding(redis_url, hear) as decoder, desk.worker():
        for query, written in asked:
            answer = await desk.http.post("/v1/listen", content=wav, params=query, timeout=60)
            assert answer.status_code == 200, answer.text
            assert "steno-ignored" not in answer.headers
            (reading,) = answer.json()["results"]["channels"][0]["alternatives"]
            assert reading["transcript"].startswith(written)
            shown = [word["punctuated_word"] for word in reading["words"]]
            assert " ".join(shown) == reading["transcript"]
        as_job = await desk.post(wav, numerals="digits", profanity="mask", language="en")
        done = await desk.until(as_job.json()["id"], lambda job: job["status"] == "finished")
        result = await desk.http.get(f"/v1/jobs/{done['id']}/result", params={"format": "txt"})
        assert result.text.startswith("it took 25 s*** days")
        wrong = await desk.post(wav, numerals="digits", language="ru")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "bad_parameter")
    assert ("de", "en") in {window.languages for window in decoder.heard}


async def refused(
    http: httpx.AsyncClient, status: int, data: bytes = b"", kind: str = "audio/wav", **query: Any
) -> dict[str, Any]:
    answer = await http.post("/v1/listen", content=data, params=query, headers={"Content-Type": kind})
    body = answer.json()
    assert answer.status_code == status, body
    assert body.keys() == {"err_code", "err_msg", "request_id"}
    assert answer.headers["dg-request-id"] == body["request_id"]
    assert answer.headers["dg-error"]
    return body


async def test_what_is_wrong_is_told_as_deepgram_does(http: httpx.AsyncClient, wav: bytes) -> None:
    assert (await refused(http, 400))["err_code"] == "Bad Request"
    assert (await refused(http, 400, b"this is no audio" * 99))["err_code"] == "Bad Request"
    for query in (
        {"language": "klingon"},
        {"language": "ja"},
        {"utterances": "perhaps"},
        {"utt_split": "x"},
        {"redact": "ssn"},
    ):
        assert (await refused(http, 400, wav, **query))["err_code"] == "INVALID_QUERY_PARAMETER"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"url": 1}', b'{"url": "ftp://x/y"}', b'{"url": "http://127.0.0.1/a.wav"}']
)
async def test_addresses_are_refused_where_the_operator_allows_none(
    http: httpx.AsyncClient, body: bytes
) -> None:
    await refused(http, 400, body, "application/json")


async def test_a_client_that_hangs_up_cancels_its_work(service: Service, http: httpx.AsyncClient) -> None:
    long = spoken(*["en_stew", "en_quilter"] * 8)
    asking = asyncio.create_task(
        http.post("/v1/listen", content=long, params={"encoding": "linear16", "sample_rate": 16000})
    )
    async with asyncio.timeout(30):
        while not (jobs := await live_jobs(http)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(30):
        while jobs[0] in await live_jobs(http):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def live_jobs(http: httpx.AsyncClient) -> list[str]:
    jobs = (await http.get("/v1/jobs")).json()["jobs"]
    return [job["id"] for job in jobs if job["status"] in ("queued", "running")]


async def test_a_file_is_fetched_from_its_address_where_that_is_allowed(
    redis_url: str, data_dir: Path, wav: bytes
) -> None:
    allowed = {"STENO_FETCH_HOSTS": "127.0.0.1", "STENO_FETCH_PRIVATE": "1"}
    with answering(lambda asked: Answer(200, wav) if asked.path == "/a.wav" else Answer(404)) as stub:
        async with (
            edge(redis_url, data_dir, fetch_hosts=("127.0.0.1",), settings=allowed) as desk,
            decoding(redis_url),
            desk.worker(),
        ):
            found = await desk.http.post("/v1/listen", json={"url": f"{stub.url}/a.wav"}, timeout=60)
            gone = await desk.http.post("/v1/listen", json={"url": f"{stub.url}/b.wav"}, timeout=60)
            other = await desk.http.post("/v1/listen", json={"url": "http://localhost/a.wav"}, timeout=60)
    assert found.status_code == 200, found.text
    assert found.json()["metadata"]["sha256"] == hashlib.sha256(wav).hexdigest()
    assert found.json()["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert (gone.status_code, gone.json()["err_code"]) == (502, "REMOTE_CONTENT_ERROR")
    assert other.status_code == 400


async def test_a_key_that_is_not_known_is_refused_as_deepgram_does(tmp_path: Path) -> None:
    with Service.running(tmp_path, engine="scripted", modules=("api",), api_keys="right-key") as service:
        async with httpx.AsyncClient(base_url=service.url, trust_env=False) as http:
            answer = await http.post("/v1/listen", headers={"Authorization": "Token wrong-key"})
            assert (answer.status_code, answer.json()["err_code"]) == (401, "INVALID_AUTH")
            assert answer.headers["dg-request-id"] == answer.json()["request_id"]
            empty = await http.post("/v1/listen", headers={"Authorization": "Token right-key"})
            assert (empty.status_code, empty.json()["err_code"]) == (400, "Bad Request")
        address = f"{service.ws_url}/v1/listen?encoding=linear16&sample_rate=16000"
        for headers in ({}, {"Authorization": "bearer wrong-key"}):
            with pytest.raises(InvalidStatus) as error:
                async with connect(address, proxy=None, additional_headers=headers):
                    pass
            assert error.value.response.status_code == 401
            assert b"INVALID_AUTH" in (error.value.response.body or b"")
        for headers, protocols in (
            ({"Authorization": "Token right-key"}, None),
            ({}, ["token", "right-key"]),
        ):
            async with connect(
                address, proxy=None, additional_headers=headers, subprotocols=protocols
            ) as socket:
                assert socket.subprotocol == (protocols and protocols[0])
