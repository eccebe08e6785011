"""Clients that can't be run whole in a test, byte for byte as they are on the wire: Home Assistant's Wyoming
integration, the HACS integration `openai_stt_ha`, and Open WebUI. What they send was read in their sources
(of Open WebUI in an older version's) and taken down from the packages that write it for them (wyoming 1.10.2,
httpx, aiohttp 3.14); what they read of an answer is what is asserted. Scripted engine."""

import asyncio
import base64
import io
import json
import signal
import wave
from collections.abc import Generator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.support.live import transcribe
from tests.support.service import Service
from tests.support.speech import spoken
from tests.support.wyoming_client import started

pytestmark = pytest.mark.anyio

TALK = spoken()
WAIT_S_MAX = 60.0
PIECE_BYTES = 2048
"""Of audio from a satellite."""


@pytest.fixture(scope="module")
def port(service: Service) -> Generator[int]:
    """The Wyoming server of the shared service."""
    yield started(service)
    assert service.end("wyoming", signal.SIGTERM) == 0


def wav(pcm16: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(pcm16)
    return file.getvalue()


async def wyoming(port: int, data: bytes, until: str) -> list[tuple[dict[str, Any], bytes]]:
    """What the server says to these bytes, up to an event: header and data of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        found: list[tuple[dict[str, Any], bytes]] = []
        async with asyncio.timeout(WAIT_S_MAX):
            while not found or found[-1][0]["type"] != until:
                header = json.loads(await reader.readline())
                found.append((header, await reader.readexactly(header.get("data_length", 0))))
                await reader.readexactly(header.get("payload_length", 0))
        return found
    finally:
        writer.close()
        await writer.wait_closed()


async def test_home_assistant_finds_the_server(port: int) -> None:
    """As its integration is set up: the entity gets its name and languages from what `asr[0]` says."""
    ((_, data),) = await wyoming(port, b'{"type": "describe", "version": "1.10.2"}\n', "info")
    service = json.loads(data)["asr"][0]
    assert service["name"] == "steno"
    assert service["installed"]
    assert {code for model in service["models"] if model["installed"] for code in model["languages"]} >= {
        "en"
    }
    for part in (service, *service["models"]):  # the package makes objects of these
        assert {"name", "attribution", "installed", "description", "version"} <= part.keys()
        assert {"name", "url"} <= part["attribution"].keys()


async def test_home_assistant_hears_what_was_said(service: Service, port: int) -> None:
    """One connection for each utterance. All that comes back but `transcript` is skipped."""
    form = b'{"rate": 16000, "width": 2, "channels": 1, "timestamp": null}'
    head = b'{"type": "transcribe", "version": "1.10.2", "data_length": 18}\n{"language": "en"}'
    sent = head + b'{"type": "audio-start", "version": "1.10.2", "data_length": 61}\n' + form
    for at in range(0, len(TALK), PIECE_BYTES):
        piece = TALK[at : at + PIECE_BYTES]
        line = '{"type": "audio-chunk", "version": "1.10.2", "data_length": 61, "payload_length": %d}\n'
        sent += (line % len(piece)).encode() + form + piece
    sent += b'{"type": "audio-stop", "version": "1.10.2", "data_length": 19}\n{"timestamp": null}'
    header, data = (await wyoming(port, sent, "transcript"))[-1]
    native = await transcribe(service.ws_url, TALK, language="en")
    assert header["type"] == "transcript"
    assert json.loads(data)["text"] == native.transcript != ""


async def http(service: Service, request: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of the answer to raw bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        writer.write(request)
        async with asyncio.timeout(WAIT_S_MAX):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            (length,) = (int(line[15:]) for line in head.splitlines() if line.startswith("content-length:"))
            return int(head.split()[1]), json.loads(await reader.readexactly(length))
    finally:
        writer.close()
        await writer.wait_closed()


def hacs_request(model: str, language: str, audio: bytes) -> bytes:
    """httpx writes the parts in the order of the integration's dict: the file first."""
    boundary = "9c4a1f0be5d24f7f8d0c8b5a5f1c2e3d"
    fields = {
        "model": model,
        "language": language,
        "prompt": "",
        "temperature": "0",
        "response_format": "json",
    }
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="whisper_audio.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode()
    body += audio
    for name, value in fields.items():
        body += f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
    body += f"\r\n--{boundary}--\r\n".encode()
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: */*\r\n"
        "Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
        "User-Agent: HomeAssistant/2025.11.3 httpx/0.28.1 Python/3.13\r\n"
        "Authorization: Bearer sk-anything\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-mini-transcribe", "gpt-4o-transcribe"])
@pytest.mark.parametrize("language", ["en", "en-US"])
async def test_the_hacs_integration_over_rest(service: Service, model: str, language: str) -> None:
    """The models are all that it knows."""
    status, body = await http(service, hacs_request(model, language, wav(TALK)))
    assert status == 200
    assert body["text"].strip()


async def test_the_hacs_integration_shows_what_an_error_says(service: Service) -> None:
    status, body = await http(service, hacs_request("no-such-model", "en", wav(TALK)))
    assert status == 404
    assert body["error"]["message"]


@pytest.mark.parametrize("noise_reduction", [None, {"type": "near_field"}])
async def test_the_hacs_integration_over_realtime(service: Service, noise_reduction: Any) -> None:
    """It puts `/realtime?intent=transcription` behind whatever address is set, so that the rate of audio is
    told in front of that: `api_url: http://HOST:8000/v1/realtime?sample_rate=16000&path=`."""
    api_url = f"{service.ws_url}/v1/realtime?sample_rate=16000&path="
    headers = {"Authorization": "Bearer sk-anything", "OpenAI-Beta": "realtime=v1"}
    update = {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "prompt": "", "language": "en"},
            "turn_detection": {"type": "server_vad"},
            "input_audio_noise_reduction": noise_reduction,
        },
    }
    address = f"{api_url}/realtime?intent=transcription"
    async with connect(address, proxy=None, additional_headers=headers) as socket:
        await socket.send(json.dumps(update))
        for at in range(0, len(TALK), PIECE_BYTES):
            audio = base64.b64encode(TALK[at : at + PIECE_BYTES]).decode("utf-8")
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        async with asyncio.timeout(WAIT_S_MAX):
            kinds: list[str] = []
            while not kinds or not kinds[-1].endswith(".completed"):
                event = json.loads(await socket.recv())
                kinds.append(event["type"])
    assert "error" not in kinds
    native = await transcribe(service.ws_url, TALK, language="en", endpointing_ms="500")
    assert event["transcript"] == native.of("final")[0]["text"]


def open_webui_form(audio: bytes, *, language: str) -> bytes:
    """aiohttp's form over a stream: each piece a chunk of its own, the type of a part before its disposition,
    no length anywhere."""
    boundary = b"20df071fba1e44bb978dca56539bab2f"
    text = b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="
    fields = {"model": "whisper-1"} | ({"language": language} if language else {})
    pieces: list[bytes] = []
    for name, value in fields.items():
        pieces += [b"--" + boundary + b"\r\n", text + f'"{name}"\r\n\r\n'.encode(), value.encode(), b"\r\n"]
    file = b"Content-Type: audio/webm\r\n"
    file += b'Content-Disposition: form-data; name="file"; filename="3f2a.webm"\r\n\r\n'
    pieces += [b"--" + boundary + b"\r\n", file]
    pieces += [audio[at : at + 65_536] for at in range(0, len(audio), 65_536)]
    pieces += [b"\r\n", b"--" + boundary + b"--\r\n"]
    head = (
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
        b"Authorization: Bearer sk-anything\r\n"
        b"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: Python/3.11 aiohttp/3.14.5\r\n"
        b"Content-Type: multipart/form-data; boundary=" + boundary + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("language", ["", "en"])
async def test_open_webui_sends_a_form_in_pieces(service: Service, language: str) -> None:
    """And a WAV that it calls WebM: what the browser recorded it converts or not, but does not rename."""
    status, body = await http(service, open_webui_form(wav(TALK), language=language))
    assert status == 200
    assert body["text"].strip()


async def test_open_webui_sends_json(service: Service) -> None:
    """Its second mode."""
    audio = {"data": base64.b64encode(wav(TALK)).decode(), "format": "wav"}
    body = json.dumps({"model": "whisper-1", "input_audio": audio, "language": "en"}).encode()
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
        "Authorization: Bearer sk-anything\r\n"
        "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: Python/3.11 aiohttp/3.14.5\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n"
    )
    status, answer = await http(service, head.encode() + body)
    assert status == 200
    assert answer["text"].strip()


async def test_open_webui_shows_what_an_error_says(service: Service) -> None:
    """It reads `error.message`."""
    status, body = await http(service, open_webui_form(b"no audio at all" * 99, language=""))
    assert status == 400
    assert body["error"]["message"]
