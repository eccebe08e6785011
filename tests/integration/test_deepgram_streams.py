"""Deepgram's live protocol against the running service, scripted engine."""

import asyncio
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.test_live_stream import encoded
from tests.support.deepgram import RAW, Listening, listened, listening
from tests.support.live import transcribe
from tests.support.media import write_media
from tests.support.packets import opus_packets
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
TALK_S = len(TALK) / 32_000
KINDS = {"Results", "SpeechStarted", "UtteranceEnd", "Metadata"}


async def test_a_stream_from_open_to_metadata(service: Service) -> None:
    query = {**RAW, "interim_results": "true", "vad_events": "true", "utterance_end_ms": "1000"}
    async with listening(service.ws_url, query, model="nova-3") as session:
        await session.audio(TALK[: 32_000 * 3])
        interim = await session.until("Results", is_final=False)
        assert interim["channel"]["alternatives"][0]["transcript"]
        await session.audio(TALK[32_000 * 3 :])
        await session.say("CloseStream")
        assert await session.until_closed() == (1000, "")
    assert {frame["type"] for frame in session.frames} <= KINDS
    assert len(session.of("SpeechStarted")) >= 2
    session.check_tiles(TALK_S)
    said = session.frames[-1]
    assert said["type"] == "Metadata"
    assert said["sha256"] == hashlib.sha256(TALK).hexdigest()
    assert said["duration"] == pytest.approx(TALK_S, abs=0.001)
    assert session.socket.response is not None
    assert said["request_id"] == session.socket.response.headers["dg-request-id"]
    assert all(f["metadata"]["model_info"]["name"] == "tiny.en" for f in session.of("Results"))


async def test_it_hears_what_the_native_protocol_hears(service: Service) -> None:
    native = await transcribe(service.ws_url, TALK)
    deepgram = await listened(service.ws_url, TALK)
    assert deepgram.transcript() == native.transcript
    assert all(frame["is_final"] for frame in deepgram.of("Results"))
    assert deepgram.of("SpeechStarted") == deepgram.of("UtteranceEnd") == []


async def test_trap_23_finalize_answers_at_once_and_the_stream_goes_on(service: Service) -> None:
    async with listening(service.ws_url) as session:
        await session.audio(TALK[: 32_000 * 3])
        await session.say("Finalize")
        first = await session.until("Results", from_finalize=True)
        assert first["channel"]["alternatives"][0]["transcript"]
        await session.say("Finalize")
        second = await session.until("Results", from_finalize=True)
        assert second["channel"]["alternatives"][0]["transcript"] == ""
        await session.audio(TALK[32_000 * 3 :])
        await session.say("CloseStream")
        assert await session.until_closed() == (1000, "")
    session.check_tiles(TALK_S)
    assert sum(frame["from_finalize"] for frame in session.of("Results")) == 2


@pytest.mark.parametrize(
    ("encoding", "ours", "rate"),
    [
        ("mulaw", "mulaw", 8000),
        ("alaw", "alaw", 8000),
        ("linear16", "pcm16", 48000),
        ("linear32", "float32", 24000),
    ],
)
async def test_trap_26_raw_audio_of_any_format(service: Service, encoding: str, ours: str, rate: int) -> None:
    audio = encoded(TALK, ours, rate, 1)
    session = await listened(
        service.ws_url, audio, {"encoding": encoding, "sample_rate": rate, "endpointing": 25}
    )
    assert session.frames[-1]["duration"] == pytest.approx(TALK_S, abs=0.01)
    assert session.transcript()
    session.check_tiles(TALK_S)


@pytest.mark.parametrize("kind", ["webm", "ogg", "wav", "mp3", "flac"])
async def test_audio_in_a_container(service: Service, kind: str, tmp_path: Path) -> None:
    samples = np.frombuffer(TALK, "<i2").astype(np.float32) / 32768
    rate = 48_000 if kind in ("webm", "ogg") else 16_000
    path = write_media(tmp_path / f"talk.{kind}", np.repeat(samples, rate // 16_000), rate=rate)
    data = path.read_bytes()
    session = await listened(service.ws_url, data, {})
    assert session.transcript()
    assert session.frames[-1]["duration"] == pytest.approx(TALK_S, abs=0.2)
    assert session.frames[-1]["sha256"] == hashlib.sha256(data).hexdigest()


async def test_bare_opus_packets(service: Service) -> None:
    async with listening(service.ws_url, {"encoding": "opus"}) as session:
        for packet in opus_packets(TALK):
            await session.socket.send(packet)
        await session.say("CloseStream")
        assert (await session.until_closed())[0] == 1000
    assert session.transcript()
    assert session.frames[-1]["duration"] == pytest.approx(TALK_S, abs=0.1)


@pytest.mark.parametrize("kind", ["raw", "wav"])
async def test_each_channel_by_itself(service: Service, kind: str, tmp_path: Path) -> None:
    left, right = np.frombuffer(spoken("en_stew"), "<i2"), np.frombuffer(spoken("en_quilter"), "<i2")
    right = np.pad(right, (0, len(left) - len(right)))
    both = np.stack([left, right])
    data, query = both.T.tobytes(), {**RAW, "channels": 2}
    if kind == "wav":
        data, query = write_media(tmp_path / "a.wav", both / 32767.0).read_bytes(), {}
    session = await listened(service.ws_url, data, query, multichannel="true")
    for channel, alone in enumerate((left, right)):
        session.check_tiles(len(left) / 16_000, channel)
        if kind == "raw":
            native = await transcribe(service.ws_url, alone.tobytes())
            assert session.transcript(channel) == native.transcript
    assert {tuple(f["channel_index"]) for f in session.of("Results")} == {(0, 2), (1, 2)}
    assert session.frames[-1]["channels"] == 2


async def test_an_utterance_end_follows_silence(service: Service) -> None:
    audio = spoken("en_quilter", gap_s=2.5)
    session = await listened(service.ws_url, audio, interim_results="true", utterance_end_ms="1000")
    (end,) = session.of("UtteranceEnd")
    last = next(f for f in reversed(session.finals()) if f["channel"]["alternatives"][0]["words"])
    assert end["last_word_end"] == last["channel"]["alternatives"][0]["words"][-1]["end"]


async def test_silence_ends_with_an_empty_final(service: Service) -> None:
    session = await listened(service.ws_url, bytes(64_000))
    assert [frame["type"] for frame in session.frames] == ["Results", "Metadata"]
    session.check_tiles(2.0)


async def test_no_audio_at_all(service: Service) -> None:
    session = await listened(service.ws_url, b"")
    assert [frame["type"] for frame in session.frames] == ["Metadata"]


async def refused(service: Service, query: str) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as error:
        async with connect(f"{service.ws_url}/v1/listen?{query}", proxy=None):
            pass
    return error.value


@pytest.mark.parametrize(
    "query",
    [
        "encoding=linear16",
        "encoding=g729&sample_rate=8000",
        "interim_results=perhaps",
        "utterance_end_ms=10",
        "language=klingon",
        "language=ja",  # the scripted engine knows three
        "endpointing=soon",
        "encoding=linear16&sample_rate=16000&redact=ssn",
    ],
)
async def test_a_bad_query_is_refused_before_the_socket_opens(service: Service, query: str) -> None:
    answer = (await refused(service, query)).response
    body = json.loads(answer.body or b"")
    assert answer.status_code == 400
    assert body.keys() == {"err_code", "err_msg", "request_id"}
    assert body["err_code"] == "INVALID_QUERY_PARAMETER"
    assert answer.headers["dg-request-id"] == body["request_id"]
    assert answer.headers["dg-error"]


async def test_garbage_in_text_is_told_and_the_stream_goes_on(service: Service) -> None:
    async with listening(service.ws_url) as session:
        for text in ("", "{", '{"type":"Hello"}', "[]"):
            await session.socket.send(text)
            frame = await session.until("Error")
            assert (frame["variant"], frame["message"]) == ("SchemaError", text)
        await session.audio(TALK)
        await session.say("CloseStream")
        assert (await session.until_closed())[0] == 1000
    assert session.transcript()


async def test_bytes_that_are_no_audio_close_the_connection(service: Service) -> None:
    async with listening(service.ws_url, {}) as session:
        await session.audio(b"this is a text and no audio " * 2000)
        assert await session.until_closed() == (1008, "DATA-0000")
    assert [frame["type"] for frame in session.frames] == ["Error"]


async def test_browsers_get_their_subprotocol_back(service: Service) -> None:
    address = f"{service.ws_url}/v1/listen?encoding=linear16&sample_rate=16000"
    async with connect(
        address, proxy=None, subprotocols=["token", "secret-key", "x-deepgram-session-id"]
    ) as socket:
        assert socket.subprotocol == "token"


async def test_what_is_ignored_is_named(service: Service) -> None:
    async with listening(
        service.ws_url, RAW, redact="false", filler_words="true", diarize="true", unknown="x"
    ) as session:
        assert session.socket.response.headers["steno-ignored"] == "diarize,filler_words"


async def test_many_at_once_with_the_native_protocol_do_not_mix(service: Service) -> None:
    alone = (await listened(service.ws_url, TALK)).transcript()

    async def native() -> str:
        return (await transcribe(service.ws_url, TALK)).transcript

    async def deepgram() -> str:
        return (await listened(service.ws_url, TALK)).transcript()

    texts = await asyncio.gather(*(native() if i % 2 else deepgram() for i in range(6)))
    assert set(texts) == {alone}


async def test_a_client_that_hangs_up_frees_its_session(service: Service) -> None:
    async with listening(service.ws_url, {}) as session:  # with a decoder thread
        await session.audio(TALK[:50_000])
    async with listening(service.ws_url) as session:
        await session.audio(TALK[:50_000])
        session.socket.transport.abort()
    again: Listening = await listened(service.ws_url, TALK)
    assert again.transcript()
