"""`/v1/realtime` against the running service, scripted engine: addresses, formats, turns, limits."""

import asyncio
import contextlib
import json
import urllib.request
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.encodings import encoded
from tests.support.live import transcribe
from tests.support.realtime_client import (
    COMMITTED,
    COMPLETED,
    DELTA,
    RealtimeClient,
    realtime,
    transcription,
)
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
"""Two real utterances with a pause."""
VAD = {"type": "server_vad", "silence_duration_ms": 800}


def concatenated(client: RealtimeClient) -> dict[str, str]:
    texts: dict[str, str] = {}
    for frame in client.of(DELTA):
        texts[frame["item_id"]] = texts.get(frame["item_id"], "") + frame["delta"]
    return texts


async def test_turns_give_the_text_of_the_native_surface(service: Service) -> None:
    native = await transcribe(service.ws_url, TALK, endpointing_ms="800")
    async with realtime(service.ws_url, intent="transcription") as client:
        await client.until("session.created")
        await client.say("session.update", session=transcription(VAD))
        await client.audio(TALK + pcm16(silence(1.0)))
        await client.say("input_audio_buffer.commit")
        texts = await client.until_completed(last="")
    assert [text for text in texts if text] == [final["text"] for final in native.of("final")]
    for frame in client.of(COMPLETED):
        assert concatenated(client).get(frame["item_id"], "") == frame["transcript"]
    starts = [f["audio_start_ms"] for f in client.of("input_audio_buffer.speech_started")]
    assert starts == [round(1000 * m["start"]) for m in native.of("speech_start")]


async def test_a_commit_gives_one_item(service: Service) -> None:
    async with realtime(service.ws_url, intent="transcription") as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK)
        await client.say("input_audio_buffer.commit")
        await client.until_completed(count=1)
        [item] = client.of(COMMITTED)
        [done] = client.of(COMPLETED)
        assert len(done["transcript"].split()) > 10
        assert done["item_id"] == item["item_id"]
        assert client.of("input_audio_buffer.speech_started") == []
        # and the connection goes on
        await client.audio(TALK[:64000])
        await client.say("input_audio_buffer.commit")
        await client.until(COMPLETED)
        assert client.of(COMMITTED)[1]["previous_item_id"] == item["item_id"]


async def test_silence_completes(service: Service) -> None:
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(pcm16(silence(1.0)))
        await client.say("input_audio_buffer.commit")
        assert (await client.until(COMPLETED))["transcript"] == ""


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"model": "gpt-4o-transcribe"},
        {"intent": "transcription"},
        {"intent": "transcription", "model": "whisper-1"},
    ],
    ids=["bare", "model", "intent", "both"],
)
async def test_any_address_will_do_and_the_server_speaks_first(
    service: Service, query: dict[str, str]
) -> None:
    """Traps 12 and 14."""
    async with realtime(service.ws_url, **query) as client:
        created = await client.until("session.created")
    session = created["session"]
    assert session["type"] == "transcription"
    assert session["audio"]["input"]["transcription"]["model"] == query.get("model", "whisper-1")
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


async def test_the_beta(service: Service) -> None:
    async with realtime(
        service.ws_url, headers={"OpenAI-Beta": "realtime=v1"}, intent="transcription"
    ) as client:
        await client.until("transcription_session.created")
        session = {"input_audio_format": "g711_ulaw", "turn_detection": None}
        await client.say("transcription_session.update", session=session)
        updated = await client.until("transcription_session.updated")
        assert updated["session"]["input_audio_format"] == "g711_ulaw"
        await client.audio(b"\xff" * 8000)
        await client.say("input_audio_buffer.commit")
        await client.until(COMPLETED)
        assert len(client.of("conversation.item.created")) == 1


async def test_the_subprotocol_is_echoed_and_the_key_is_not(service: Service) -> None:
    """Trap 11."""
    offered = ["realtime", "openai-insecure-api-key.sk-whatever", "openai-beta.realtime-v1"]
    async with realtime(service.ws_url, subprotocols=offered) as client:
        assert client.socket.subprotocol == "realtime"
    async with realtime(service.ws_url) as client:
        assert client.socket.subprotocol is None


async def test_an_unknown_model_is_refused_at_the_door(service: Service) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with realtime(service.ws_url, model="parakeet"):
            pass
    assert caught.value.response.status_code == 404
    error = json.loads(caught.value.response.body or b"")["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "model_not_found")


async def test_a_browser_is_told_by_an_event(service: Service) -> None:
    async with realtime(service.ws_url, headers={"Origin": "http://page"}, model="parakeet") as client:
        assert (await client.until("error"))["error"]["type"] == "invalid_request_error"
        assert (await client.until_closed())[0] == 1008


@pytest.mark.parametrize(
    ("format", "encoding", "rate"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, "pcm16", 24_000),
        ({"type": "audio/pcm", "rate": 48_000}, "pcm16", 48_000),
        ({"type": "audio/pcm"}, "pcm16", 24_000),
        ({"type": "audio/pcmu"}, "mulaw", 8_000),
        ({"type": "audio/pcma"}, "alaw", 8_000),
    ],
)
async def test_any_format_is_heard_as_speech(
    service: Service, format: dict[str, Any], encoding: str, rate: int
) -> None:
    audio = encoded(TALK, encoding, rate, 1)
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None, format=format))
        await client.audio(audio)
        await client.say("input_audio_buffer.commit")
        done = await client.until(COMPLETED)
    assert len(done["transcript"].split()) >= 5
    assert done["usage"] == {"type": "duration", "seconds": pytest.approx(len(TALK) / 32000, abs=0.01)}


async def test_the_rate_of_a_client_that_can_not_say_it_is_in_the_address(service: Service) -> None:
    """The HACS integration of Home Assistant sends 16 kHz and calls it pcm16."""
    beta = {"input_audio_format": "pcm16", "turn_detection": None}
    async with realtime(service.ws_url, sample_rate="16000") as client:
        await client.say("transcription_session.update", session=beta)
        await client.audio(TALK)
        await client.say("input_audio_buffer.commit")
        done = await client.until(COMPLETED)
    assert done["usage"]["seconds"] == pytest.approx(len(TALK) / 32000, abs=0.01)


async def test_audio_before_the_configuration_is_heard_as_configured(service: Service) -> None:
    """Trap 16."""
    async with realtime(service.ws_url) as client:
        await client.until("session.created")
        await client.audio(TALK[:16000])
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK[16000:])
        await client.say("input_audio_buffer.commit")
        late = await client.until(COMPLETED)
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK)
        await client.say("input_audio_buffer.commit")
        assert (await client.until(COMPLETED))["transcript"] == late["transcript"]


async def test_a_client_that_configures_nothing_is_served(service: Service) -> None:
    async with realtime(service.ws_url) as client:
        await client.audio(encoded(TALK, "pcm16", 24_000, 1))
        await client.say("input_audio_buffer.commit")
        texts = await client.until_completed(last="")
    assert any(texts)


async def test_the_configuration_may_change_at_any_time(service: Service) -> None:
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK[:96000])
        await client.say(
            "session.update", session={"audio": {"input": {"transcription": {"language": "de"}}}}
        )
        await client.audio(TALK[96000:])
        await client.say("input_audio_buffer.commit")
        await client.say("session.update", session=transcription(VAD))
        await client.audio(TALK)
        await client.say("input_audio_buffer.commit")
        texts = await client.until_completed(last="")
    assert len(client.of("session.updated")) == 3
    assert texts[0]
    assert client.of(COMPLETED)[0]["languages"] == [{"code": "en"}, {"code": "de"}]
    assert len(client.of("input_audio_buffer.speech_started")) >= 2
    assert client.of("error") == []


async def test_probabilities_come_when_asked_for(service: Service) -> None:
    include = ["item.input_audio_transcription.logprobs"]
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None) | {"include": include})
        await client.audio(TALK)
        await client.say("input_audio_buffer.commit")
        done = await client.until(COMPLETED)
    assert "".join(token["token"] for token in done["logprobs"]) == done["transcript"]


async def test_what_is_cleared_is_not_heard(service: Service) -> None:
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK)
        await client.say("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.say("input_audio_buffer.commit", event_id="a")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "a")
        await client.audio(pcm16(silence(1)))
        await client.say("input_audio_buffer.commit")
        assert (await client.until(COMPLETED))["transcript"] == ""


BAD = [
    ("not json", "invalid_json"),
    ("[]", "invalid_json"),
    ("[" * 5000, "invalid_json"),
    ("{}", "missing_required_parameter"),
    ('{"type": 3}', "missing_required_parameter"),
    ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
    ('{"type": "input_audio_buffer.append", "audio": "%%%"}', "invalid_value"),
    ('{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty"),
    ('{"type": "session.update"}', "missing_required_parameter"),
    ('{"type": "session.update", "session": {"type": "realtime"}}', "invalid_value"),
    ('{"type": "session.update", "session": {"audio": 3}}', "invalid_type"),
    ('{"type": "response.create"}', "invalid_value"),
    ('{"type": "conversation.item.retrieve", "item_id": "x"}', "invalid_value"),
    ('{"type": "conversation.item.delete", "item_id": "\\ud800"}', "invalid_value"),
    ('{"type": "no.such.event \\ud800"}', "invalid_value"),
]


async def test_what_is_wrong_is_told_and_the_connection_goes_on(service: Service) -> None:
    """Traps 15 and 17."""
    async with realtime(service.ws_url) as client:
        for message, code in BAD:
            await client.socket.send(message)
            error = (await client.until("error"))["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", code), message
        await client.socket.send(b"\x00\x01")
        assert (await client.until("error"))["error"]["type"] == "invalid_request_error"
        await client.say("session.update", session=transcription(None), event_id="mine")
        await client.audio(TALK)
        await client.say("input_audio_buffer.commit")
        assert (await client.until(COMPLETED))["transcript"]


async def test_what_is_harmless_is_no_error(service: Service) -> None:
    """Trap 15: fields that are not known, and values that are not followed."""
    vad = {
        "type": "server_vad",
        "threshold": 0.99,
        "prefix_padding_ms": 9000,
        "silence_duration_ms": 1,
        "create_response": True,
        "interrupt_response": False,
        "idle_timeout_ms": 5000,
        "of_the_future": {},
    }
    odd = transcription(
        vad, noise_reduction={"type": "near_field"}, transcription={"model": "gpt-4o-transcribe", "x": 1}
    )
    async with realtime(service.ws_url, what="ever") as client:
        await client.say("session.update", session=odd | {"tracing": "auto", "tools": []}, unknown=1)
        updated = await client.until("session.updated")
        assert client.of("error") == []
    told = updated["session"]["audio"]["input"]["turn_detection"]
    assert told == {
        "type": "server_vad",
        "threshold": 0.9,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
    }


@pytest.mark.slow
async def test_the_largest_append_passes_and_a_larger_one_does_not(service: Service) -> None:
    """Trap 19."""
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None, format={"type": "audio/pcmu"}))
        await client.audio(b"\xff" * (15 * 2**20), chunk_bytes=15 * 2**20)
        await client.say("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        with contextlib.suppress(ConnectionClosed):
            await client.audio(b"\xff" * (20 * 2**20), chunk_bytes=20 * 2**20)
        assert (await client.until_closed())[0] == 1009


async def test_a_flood_of_pings_is_answered_and_nobody_else_notices(service: Service) -> None:
    async with realtime(service.ws_url) as flood:
        await flood.until("session.created")
        pongs = [await flood.socket.ping() for _ in range(2000)]
        assert (await transcribe(service.ws_url, TALK)).transcript
        await asyncio.gather(*pongs)
        await flood.say("session.update", session=transcription(None))
        await flood.until("session.updated")


async def test_a_client_that_does_not_read_still_closes(service: Service) -> None:
    """Trap 20: what comes behind a commit fits into what the `websockets` package holds back."""
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK * 3)
        await client.until("session.updated")
        await client.say("input_audio_buffer.commit")
        await client.until(COMPLETED)
        behind = client.frames.index(client.of(COMMITTED)[0])
        assert len(client.frames) - behind <= 16


async def test_an_idle_socket_takes_no_session(service: Service) -> None:
    async with asyncio.timeout(30):
        while sessions_open(service):  # noqa: ASYNC110 - of the test before
            await asyncio.sleep(0.05)
    async with realtime(service.ws_url) as client:
        await client.say("session.update", session=transcription(None))
        await client.until("session.updated")
        assert sessions_open(service) == 0


async def test_connections_of_both_kinds_at_once_do_not_mix(service: Service) -> None:
    async def by_commit() -> str:
        async with realtime(service.ws_url) as client:
            await client.say("session.update", session=transcription(None))
            await client.audio(TALK)
            await client.say("input_audio_buffer.commit")
            return str((await client.until(COMPLETED))["transcript"])

    alone = await by_commit()
    assert set(await asyncio.gather(*(by_commit() for _ in range(6)))) == {alone}


def sessions_open(service: Service) -> float:
    with urllib.request.urlopen(f"{service.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith('steno_edge_sessions{surface="realtime"}')]
    return float(found[0].split()[-1]) if found else 0.0
