"""OpenAI's audio API as its clients use it on the wire: their requests byte by byte, their expectations of
each answer. The scripted engine decodes. tests/compat has the clients themselves."""

import base64
import io
import json
import signal
import wave
from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from api.openai.models import DEFAULT_ALIASES
from tests.support.data import DATA_DIR, clip
from tests.support.service import Service

pytestmark = pytest.mark.anyio

URL = "/v1/audio/transcriptions"
SEGMENT_KEYS = {
    *("id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio"),
    "no_speech_prob",
}
SHORT = (DATA_DIR / "en_years.ogg").read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    folder = tmp_path_factory.mktemp("openai")
    with Service.running(folder, engine="scripted", model="tiny.en", upload_bytes_max="3000000") as running:
        yield running


@pytest.fixture
async def http(server: Service) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        yield client


def wav(samples: int = 0, pcm16: bytes = b"") -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(pcm16 or bytes(2 * samples))
    return file.getvalue()


LONG = wav(pcm16=(clip("en_demo").pcm16() * 6)[: 2 * 16_000 * 75])
"""More than one window of speech."""


async def asked(
    http: httpx.AsyncClient, file: bytes = SHORT, url: str = URL, *, brackets: bool = True, **fields: Any
) -> httpx.Response:
    """A request as the Python SDK sends it: lists with brackets, the file last."""
    given = {"model": "whisper-1"} | fields
    data = {f"{k}[]" if isinstance(v, list) and brackets else k: v for k, v in given.items()}
    files = {"file": ("speech.ogg", file, "audio/ogg")}
    return await http.post(url, data=data, files=files, headers={"Accept": "application/json"})


def events_in(answer: httpx.Response) -> list[dict[str, Any]]:
    blocks = [block for block in answer.text.split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


async def test_json_is_the_text_with_what_was_used(http: httpx.AsyncClient) -> None:
    answer = await asked(http)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.json()
    assert set(body) == {"text", "usage", "languages"}
    assert body["text"]
    assert body["usage"]["type"] == "duration"
    assert isinstance(body["usage"]["seconds"], int)
    assert body["languages"] == [{"code": "en"}]


async def test_texts_are_texts(http: httpx.AsyncClient) -> None:
    """Trap 3: quoted as JSON they are no subtitles."""
    plain = (await asked(http)).json()["text"]
    text = await asked(http, response_format="text")
    assert (text.text, text.headers["content-type"]) == (plain + "\n", "text/plain; charset=utf-8")
    srt = await asked(http, response_format="srt")
    assert srt.text.startswith("1\n00:00:0")
    assert srt.headers["content-type"].startswith("text/plain")
    vtt = await asked(http, response_format="vtt")
    assert vtt.text.startswith("WEBVTT\n\n00:00:0")
    assert vtt.headers["content-type"].startswith("text/vtt")


async def test_every_key_of_a_segment_is_there_and_none_is_null(http: httpx.AsyncClient) -> None:
    """Trap 5: the AI SDK refuses the whole answer otherwise."""
    body = (await asked(http, LONG, response_format="verbose_json")).json()
    assert (body["task"], body["language"]) == ("transcribe", "english")
    assert isinstance(body["duration"], float)
    assert "words" not in body
    assert len(body["segments"]) > 2
    for number, segment in enumerate(body["segments"]):
        assert set(segment) == SEGMENT_KEYS
        assert None not in segment.values()
        assert segment["id"] == number
        assert segment["tokens"]
        assert segment["avg_logprob"] == -0.1
    assert body["segments"][0]["seek"] < body["segments"][-1]["seek"]
    assert "".join(segment["text"] for segment in body["segments"]).strip() == body["text"]


@pytest.mark.parametrize("brackets", [True, False])
async def test_granularities_are_read_with_brackets_and_without(
    http: httpx.AsyncClient, brackets: bool
) -> None:
    """Trap 1."""

    async def verbose(*granularities: str) -> dict[str, Any]:
        fields = {"response_format": "verbose_json", "timestamp_granularities": list(granularities)}
        return (await asked(http, brackets=brackets, **fields)).json()

    both, words = await verbose("word", "segment"), await verbose("word")
    assert {"words", "segments"} <= set(both)
    assert "segments" not in words
    assert both["words"] == words["words"]
    assert set(words["words"][0]) == {"word", "start", "end"}


async def test_what_is_not_known_is_ignored(http: httpx.AsyncClient) -> None:
    """Trap 1, and fields that are yet to be invented; both ways in which chunking strategies are sent."""
    plain = (await asked(http)).json()
    for fields in (
        {"chunking_strategy": "auto", "anything": "else", "nothing": ["a", "b"]},
        {"chunking_strategy": '{"type":"server_vad","threshold":0.5}', "prompt": ""},
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "0.5"},
        {
            "known_speaker_names": ["a"],
            "known_speaker_references": ["data:audio/wav;base64," + "A" * 1_500_000],
        },
    ):
        answer = await asked(http, **fields)
        assert (answer.status_code, answer.json()) == (200, plain)


async def test_the_file_comes_first_in_pieces_and_without_a_length(http: httpx.AsyncClient) -> None:
    """Trap 2: npm's `openai` with a stream, Open WebUI."""
    head = b'--b\r\nContent-Disposition: form-data; name="%s"'
    parts = [
        head % b"file" + b'; filename="blob"\r\nContent-Type: application/octet-stream\r\n\r\n' + SHORT,
        head % b"model" + b"\r\n\r\nwhisper-1",
    ]
    body = b"\r\n".join(parts) + b"\r\n--b--\r\n"

    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), 999):
            yield body[start : start + 999]

    answer = await http.post(
        URL, content=pieces(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["text"]) == (200, (await asked(http)).json()["text"])


async def test_a_file_without_a_name_is_a_file(http: httpx.AsyncClient) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + SHORT + b"\r\n--b--\r\n"
    answer = await http.post(URL, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 200


async def test_a_request_as_json(http: httpx.AsyncClient) -> None:
    """Open WebUI's second mode."""
    audio = {"data": base64.b64encode(SHORT).decode(), "format": "ogg"}
    answer = await http.post(URL, json={"model": "whisper-1", "language": "en-US", "input_audio": audio})
    assert (answer.status_code, answer.json()) == (200, (await asked(http)).json())
    streamed = await http.post(URL, json={"model": "whisper-1", "stream": True, "input_audio": audio})
    assert events_in(streamed)[-1]["type"] == "transcript.text.done"


async def test_diarized_json_has_segments_with_a_speaker(http: httpx.AsyncClient) -> None:
    body = (await asked(http, model="gpt-4o-transcribe-diarize", response_format="diarized_json")).json()
    assert set(body) == {"task", "duration", "text", "segments", "usage"}
    assert set(body["segments"][0]) == {"type", "id", "start", "end", "text", "speaker"}
    assert body["segments"][0]["id"] == "seg_001"


async def test_deltas_come_while_the_rest_is_decoded_and_add_up(http: httpx.AsyncClient) -> None:
    """Trap 7: asked for with `Accept: application/json`, as always."""
    answer = await asked(http, LONG, stream="true", model="gpt-4o-mini-transcribe")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    *deltas, done = events_in(answer)
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert len(deltas) > 2
    assert done["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in deltas) == done["text"]
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] == len(done["text"].split())


async def test_a_stream_of_segments_and_logprobs(http: httpx.AsyncClient) -> None:
    answer = await asked(http, stream="true", response_format="diarized_json", include=["logprobs"])
    found = events_in(answer)
    kinds = [event["type"] for event in found]
    deltas = [event for event in found if event["type"] == "transcript.text.delta"]
    segments = [event for event in found if event["type"] == "transcript.text.segment"]
    assert kinds == [event["type"] for event in (*deltas, *segments)] + ["transcript.text.done"]
    assert [event["segment_id"] for event in deltas] == [event["id"] for event in segments]
    assert {event["speaker"] for event in segments} <= {"A", "B", "C"}
    assert "".join(row["token"] for row in found[-1]["logprobs"]).strip() == found[-1]["text"]


async def test_logprobs_are_those_of_the_tokens(http: httpx.AsyncClient) -> None:
    """Trap 9: Pipecat asks for them with `json`."""
    body = (await asked(http, include=["logprobs"])).json()
    assert "".join(row["token"] for row in body["logprobs"]).strip() == body["text"]
    for row in body["logprobs"]:
        assert bytes(row["bytes"]).decode() == row["token"]
        assert row["logprob"] == -0.1


@pytest.mark.parametrize(
    "model",
    [*DEFAULT_ALIASES, "gpt-4o-mini-transcribe-2025-12-15", "tiny.en", "Systran/faster-whisper-tiny.en", ""],
)
async def test_names_that_clients_have_built_in_are_taken(http: httpx.AsyncClient, model: str) -> None:
    """Trap 6."""
    answer = await http.get(f"/v1/models/{model}")
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["object"]) == (model, "model")
    assert isinstance(answer.json()["created"], int)


async def test_models_are_listed(http: httpx.AsyncClient) -> None:
    body = (await http.get("/v1/models")).json()
    assert body["object"] == "list"
    assert {"tiny.en", "whisper-1"} <= {row["id"] for row in body["data"]}


async def test_a_translation_is_english(http: httpx.AsyncClient) -> None:
    answer = await asked(http, url="/v1/audio/translations", response_format="verbose_json")
    assert (answer.json()["task"], answer.json()["language"]) == ("translate", "english")


def refused(answer: httpx.Response, status: int, code: str, param: str | None) -> None:
    """The answer is an error as OpenAI's clients read it."""
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "whisper-9"}, 404, "model_not_found", "model"),
        ({"model": "large-v3"}, 404, "model_not_found", "model"),
        ({"language": "klingon"}, 400, "bad_parameter", "language"),
        ({"language": "ja"}, 400, "bad_parameter", "language"),
        ({"response_format": "docx"}, 400, "bad_parameter", "response_format"),
        ({"temperature": "2"}, 400, "bad_parameter", "temperature"),
        ({"temperature": "nan"}, 400, "bad_parameter", "temperature"),
        ({"timestamp_granularities": ["letter"]}, 400, "bad_parameter", "timestamp_granularities"),
        ({"file": b""}, 400, "bad_audio", "file"),
        ({"file": b"this is no audio at all"}, 400, "bad_audio", "file"),
        ({"file": SHORT[:200]}, 400, "bad_audio", "file"),
        ({"file": bytes(3_000_001)}, 413, "too_large", None),
    ],
)
async def test_errors_have_openai_s_shape(
    http: httpx.AsyncClient, fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """Trap 4."""
    refused(await asked(http, **fields), status, code, param)


async def test_errors_of_the_request_itself_have_it_too(http: httpx.AsyncClient) -> None:
    refused(await http.post(URL, data={"model": "whisper-1"}), 400, "bad_parameter", None)
    missing = {"model": (None, "whisper-1"), "other": ("a.wav", SHORT)}
    refused(await http.post(URL, files=missing), 400, "bad_parameter", "file")
    refused(await http.post(URL, json={"model": "whisper-1"}), 400, "bad_parameter", "input_audio")
    broken = {"model": "whisper-1", "input_audio": {"data": "###", "format": "wav"}}
    refused(await http.post(URL, json=broken), 400, "bad_parameter", "input_audio")
    refused(await http.get(URL), 405, "method_not_allowed", None)
    refused(await http.post("/v1/audio/speech"), 404, "not_found", None)
    refused(await http.get("/v1/models/none/such"), 404, "model_not_found", "model")
    cut = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.ogg"\r\n\r\n' + SHORT
    answer = await http.post(URL, content=cut, headers={"Content-Type": "multipart/form-data; boundary=b"})
    refused(answer, 400, "bad_request", None)


@pytest.mark.parametrize("stream", ["false", "true"])
async def test_who_hangs_up_is_not_worked_for(http: httpx.AsyncClient, server: Service, stream: str) -> None:
    name = f"hang-up-{stream}.wav"

    async def listed() -> list[str]:
        rows = (await http.get("/v1/jobs")).json()["jobs"]
        return [row["id"] for row in rows if row["name"] == name]

    worker = server.processes["worker"]
    worker.send_signal(signal.SIGSTOP)  # so that the job can't end by itself
    try:
        sending = httpx.AsyncClient(base_url=server.url, timeout=60)
        async with sending, anyio.create_task_group() as tasks:
            send = partial(sending.post, URL, files={"file": (name, LONG)}, data={"stream": stream})
            tasks.start_soon(send)
            while not (found := await listed()):  # noqa: ASYNC110 - the fact is in another process
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        while await listed():  # noqa: ASYNC110
            await anyio.sleep(0.05)
        status = (await http.get(f"/v1/jobs/{found[0]}")).json()["status"]
        assert status == "cancelled"
    finally:
        worker.send_signal(signal.SIGCONT)
        await anyio.to_thread.run_sync(server.wait_until_ready)


async def test_no_job_is_left_of_a_request(http: httpx.AsyncClient) -> None:
    before = {row["id"] for row in (await http.get("/v1/jobs")).json()["jobs"]}
    await asked(http)
    await asked(http, stream="true")
    await asked(http, file=b"no audio")
    assert {row["id"] for row in (await http.get("/v1/jobs")).json()["jobs"]} <= before


def test_when_nobody_can_decode_clients_are_told_when_to_come_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Trap 8."""
    with Service.running(tmp_path_factory.mktemp("edge"), modules=("api",), engine="scripted") as running:
        for answer in (
            httpx.post(running.url + URL, files={"file": SHORT}, data={"model": "whisper-1"}),
            httpx.get(running.url + "/v1/models"),
        ):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["x-should-retry"] == "true"
            assert answer.json()["error"]["type"] == "server_error"


def asr(server: Service, file: bytes, path: str = "/asr", **query: str) -> httpx.Response:
    return httpx.post(server.url + path, params=query, files={"audio_file": ("a", file)}, timeout=60)


def test_subtitle_tools_get_theirs(server: Service) -> None:
    pcm16 = clip("en_years").pcm16()
    srt = asr(server, pcm16, encode="false", output="srt", task="transcribe", language="en")
    assert srt.status_code == 200
    assert srt.text.startswith("1\n00:00:0")
    as_wav = asr(server, wav(pcm16=pcm16), output="srt", language="en")
    assert as_wav.text == srt.text
    assert asr(server, wav(pcm16=pcm16), encode="false", output="srt", language="en").text == srt.text
    for output, start in (("txt", ""), ("vtt", "WEBVTT"), ("tsv", "start\tend\ttext"), ("json", "{")):
        assert asr(server, SHORT, output=output).text.startswith(start)
    found = asr(server, pcm16 * 3, "/detect-language", encode="false")
    assert found.json() == {"detected_language": "english", "language_code": "en"}


@pytest.mark.parametrize(
    ("file", "query", "status"),
    [
        (b"", {}, 400),
        (b"no audio", {}, 400),
        (SHORT, {"output": "docx"}, 400),
        (SHORT, {"task": "sing"}, 400),
        (SHORT, {"language": "klingon"}, 400),
    ],
)
def test_their_errors_are_sentences(server: Service, file: bytes, query: dict[str, str], status: int) -> None:
    answer = asr(server, file, **query)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
