"""What clients do wrong gets a clear error and harms nobody else."""

import asyncio
import json
import os

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.live import RawSession, raw_session, transcribe
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio


async def refused(session: RawSession) -> tuple[int, dict[str, object]]:
    """The close code, and the error that came before it."""
    code, _ = await session.until_closed()
    assert session.messages, f"closed with {code} and no message"
    assert session.messages[-1]["type"] == "error"
    return code, session.messages[-1]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"sample_rate": "7999"}, "8000"),
        ({"sample_rate": "96001"}, "96000"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"encoding": "mp3"}, "pcm16"),
        ({"channels": "0"}, "channels"),
        ({"channels": "9"}, "channels"),
        ({"language": "xx"}, "language"),
        ({"language": "klingon"}, "language"),
        ({"task": "summarise"}, "translate"),
        ({"model": "no-such-model"}, "served"),
        ({"words": "maybe"}, "words"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"sampel_rate": "16000"}, "sample_rate"),
        ({"endpointing_ms": "100"}, "200 to 10000"),
        ({"max_utterance_s": "60"}, "5 to 27"),
        ({"partial_interval_ms": "soon"}, "200 to 10000"),
        ({"temperature": "2"}, "0 to 1"),
        ({"vad": "loud"}, "0 to 1"),
        ({"profanity": "bleep"}, "keep, mask"),
        ({"numerals": "roman"}, "auto, digits, spoken"),
        ({"numerals": "digits", "language": "ru"}, "numerals=digits is for"),
        ({"languages": "de,klingon"}, "language"),
        ({"languages": "de,en", "language": "de"}, "language=auto"),
        ({"languages": "de,ja"}, "'ja'"),
    ],
)
async def test_a_wrong_query_value_is_named(service: Service, query: dict[str, str], names: str) -> None:
    async with raw_session(service.ws_url, **query) as session:
        code, error = await refused(session)
    assert (code, error["code"], error["retryable"]) == (1008, "bad_parameter", False)
    assert names in str(error["message"])


@pytest.mark.parametrize("text", ["hello", "{", "[]", '{"type":"audio"}', "{}", "null", "[" * 100_000])
async def test_text_where_audio_is_due_ends_the_session(service: Service, text: str) -> None:
    async with raw_session(service.ws_url) as session:
        await session.until("ready")
        await session.socket.send(text)
        code, error = await refused(session)
    assert (code, error["code"]) == (1008, "bad_message")
    assert error["seq"] > 1  # type: ignore[operator]


async def test_a_cut_sample_at_the_end_is_said_and_the_rest_is_transcribed(service: Service) -> None:
    async with raw_session(service.ws_url) as session:
        await session.audio(spoken() + b"\x01")
        await session.say("end")
        assert (await session.until_closed())[0] == 1000
    warning = session.of("warning")[0]
    assert warning["code"] == "audio_misaligned"
    assert "1 byte" in warning["message"]
    assert session.of("final")


async def test_an_odd_message_in_the_middle_only_splits_a_sample(service: Service) -> None:
    talk = spoken()
    async with raw_session(service.ws_url) as session:
        await session.socket.send(talk[:3201])
        await session.audio(talk[3201:])
        await session.say("end")
        assert (await session.until_closed())[0] == 1000
    assert session.of("warning") == []
    assert session.messages[-1]["duration"] == pytest.approx(len(talk) / 32000, abs=0.001)


async def test_a_100_mb_message_is_refused_and_the_next_session_is_served(service: Service) -> None:
    async with connect(f"{service.ws_url}/v1/stream", proxy=None) as socket:
        with pytest.raises(ConnectionClosed):  # noqa: PT012 - the refusal may meet either call
            await socket.send(b"\0" * 100 * 1024 * 1024)
            async with asyncio.timeout(30):
                while True:
                    await socket.recv()
        assert socket.close_code == 1009
    assert (await transcribe(service.ws_url, spoken())).of("final")


async def test_the_native_protocol_keeps_its_own_limit_below_the_largest(service: Service) -> None:
    async with connect(f"{service.ws_url}/v1/stream", proxy=None) as socket:
        with pytest.raises(ConnectionClosed):  # noqa: PT012 - the refusal may meet either call
            await socket.send(b"\0" * (4 * 1024 * 1024 + 1))
            async with asyncio.timeout(30):
                while True:
                    await socket.recv()
        assert socket.close_code == 1009


async def test_silence_only_says_nothing(service: Service) -> None:
    session = await transcribe(service.ws_url, pcm16(silence(20)))
    assert [m["type"] for m in session.messages] == ["ready", "closed"]


async def test_zero_bytes_close_normally(service: Service) -> None:
    session = await transcribe(service.ws_url, b"")
    assert [m["type"] for m in session.messages] == ["ready", "closed"]
    async with raw_session(service.ws_url) as empty:
        await empty.socket.send(b"")
        await empty.say("end")
        assert (await empty.until_closed())[0] == 1000


async def test_two_ends_are_one(service: Service) -> None:
    async with raw_session(service.ws_url) as session:
        await session.audio(spoken())
        await session.say("end")
        await session.say("end")
        await session.audio(spoken())
        assert (await session.until_closed())[0] == 1000
    assert len(session.of("closed")) == 1
    assert session.messages[-1]["duration"] == pytest.approx(len(spoken()) / 32000, abs=0.001)


async def test_keepalive_is_taken_and_says_nothing(service: Service) -> None:
    async with raw_session(service.ws_url) as session:
        await session.say("keepalive")
        await session.say("end")
        await session.until_closed()
    assert [m["type"] for m in session.messages] == ["ready", "closed"]


async def test_a_disconnect_in_mid_word_does_not_disturb_another_session(service: Service) -> None:
    async def hang_up() -> None:
        async with raw_session(service.ws_url) as session:
            await session.audio(spoken()[: 32000 * 3])
            session.socket.transport.abort()

    alone = await transcribe(service.ws_url, spoken(), partials="false")
    other, *_ = await asyncio.gather(
        transcribe(service.ws_url, spoken(), partials="false"), *(hang_up() for _ in range(5))
    )
    assert other.transcript == alone.transcript


async def test_garbage_as_audio_is_only_noise(service: Service) -> None:
    session = await transcribe(service.ws_url, os.urandom(64_001), encoding="float32")
    assert session.messages[-1]["type"] == "closed"


async def test_a_plain_http_request_to_the_socket_is_refused(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 404 " in head.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "not_found"


async def test_webrtc_without_its_port_says_what_is_missing(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url) as http:
        for method, path in (("POST", "/v1/rtc"), ("DELETE", "/v1/rtc/x")):
            answer = await http.request(method, path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
            assert "STENO_RTC_PORT" in answer.json()["error"]["message"]
            assert "steno[rtc]" in answer.json()["error"]["message"]
