"""Wyoming with the client of Home Assistant, unmodified, against the running service."""

import asyncio
import json
import signal
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soxr
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.info import Describe, Info, SelectProgram
from wyoming.ping import Ping, Pong

from shared.redis.connection import connect
from shared.redis.keys import GROUP, Keys
from tests.support.live import transcribe
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken
from tests.support.wyoming_client import WAIT_S_MAX, client_of, heard, say, started, until

pytestmark = pytest.mark.anyio

TALK = spoken()


@pytest.fixture(scope="module")
def port(service: Service) -> Generator[int]:
    """The Wyoming server of the shared service."""
    yield started(service)
    assert service.end("wyoming", signal.SIGTERM) == 0
    assert "Traceback" not in service.log.read_text()


async def test_home_assistant_s_flow_gives_what_the_native_one_gives(service: Service, port: int) -> None:
    native = await transcribe(service.ws_url, TALK, language="en")
    async with client_of(port) as client:
        await client.write_event(Transcribe(language="en").event())
        await say(client, TALK)
        events = await until(client, "transcript-stop")
    kinds = [event.type for event in events]
    assert kinds[0] == "transcript-start"
    assert kinds[-2:] == ["transcript", "transcript-stop"]
    assert set(kinds[1:-2]) == {"transcript-chunk"}
    assert TranscriptStart.is_type(kinds[0])
    assert TranscriptStop.is_type(kinds[-1])
    text = Transcript.from_event(events[-2]).text
    assert text == "".join(TranscriptChunk.from_event(e).text for e in events[1:-2]) == native.transcript


async def test_text_comes_while_the_client_speaks(port: int) -> None:
    async with client_of(port) as client:
        await client.write_event(AudioStart(16000, 2, 1).event())
        await client.write_event(AudioChunk(16000, 2, 1, TALK).event())
        await until(client, "transcript-chunk")
        await client.write_event(AudioStop().event())
        assert await heard(client)


async def test_describe_names_the_model_that_workers_serve(service: Service, port: int) -> None:
    async with client_of(port) as client:
        await client.write_event(SelectProgram("steno").event())
        await client.write_event(Describe().event())
        info = Info.from_event((await until(client, "info"))[-1])
    assert info.asr[0].installed
    model = info.asr[0].models[0]
    assert model.installed
    assert "en" in model.languages


async def test_describe_is_answered_without_any_worker_and_without_redis(tmp_path: Path) -> None:
    with Service.running(tmp_path, engine="scripted", model="small", modules=()) as own:
        port = started(own)
        own.redis.kill()
        try:
            async with client_of(port) as client:
                await client.write_event(Describe().event())
                info = Info.from_event((await until(client, "info"))[-1])
                assert len(info.asr[0].models[0].languages) > 90
                await say(client, pcm16(silence(0.5)))
                events = await until(client, "transcript")
                assert Error.is_type(events[0].type)
                assert Transcript.from_event(events[-1]).text == ""
        finally:
            own.redis.restart()
            own.guard.add(own.redis.pid or 0, last=True)


async def test_silence_and_no_audio_have_an_empty_transcript(port: int) -> None:
    async with client_of(port) as client:
        await say(client, pcm16(silence(2)))
        assert await heard(client) == ""
        await say(client, b"")
        assert await heard(client) == ""
        await client.write_event(AudioStop().event())
        assert await heard(client) == ""


async def test_an_error_has_an_empty_transcript_and_the_connection_goes_on(port: int) -> None:
    async with client_of(port) as client:
        await say(client, TALK, width=7)
        events = await until(client, "transcript")
        assert [e.type for e in events if e.type != "transcript-start"] == ["error", "transcript"]
        await say(client, TALK)
        assert await heard(client)


@pytest.mark.parametrize(("rate", "width", "channels"), [(48000, 2, 2), (22050, 2, 1), (44100, 4, 1)])
async def test_any_format_is_heard(port: int, rate: int, width: int, channels: int) -> None:
    samples = soxr.resample(np.frombuffer(TALK, "<i2").astype(np.float32), 16000, rate)
    samples = np.repeat(np.clip(samples, -32768, 32767)[:, None], channels, axis=1).reshape(-1)
    audio = (samples * 2 ** (8 * width - 16)).astype(f"<i{width}").tobytes()
    async with client_of(port) as client:
        await say(client, audio, rate=rate, width=width, channels=channels)
        assert await heard(client)


async def test_several_utterances_and_several_clients(service: Service, port: int) -> None:
    async def one() -> list[str]:
        async with client_of(port) as client:
            await say(client, TALK)
            await say(client, TALK)
            return [await heard(client), await heard(client)]

    native = await transcribe(service.ws_url, TALK)
    all_of_them = await asyncio.gather(*(one() for _ in range(4)))
    assert {text for texts in all_of_them for text in texts} == {native.transcript}


async def test_old_peers_put_data_into_the_line(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    form = {"rate": 16000, "width": 2, "channels": 1}
    start = {"type": "audio-start", "data": form}
    chunk = {"type": "audio-chunk", "data": form, "payload_length": len(TALK)}
    for line, payload in ((start, b""), (chunk, TALK), ({"type": "audio-stop"}, b"")):
        writer.write(json.dumps(line).encode() + b"\n" + payload)
    async with asyncio.timeout(WAIT_S_MAX):
        lines = [json.loads(await reader.readline())]
        while lines[-1]["type"] != "transcript":
            await reader.readexactly(lines[-1].get("data_length", 0))
            lines.append(json.loads(await reader.readline()))
        text = json.loads(await reader.readexactly(lines[-1]["data_length"]))["text"]
    assert text
    writer.close()
    await writer.wait_closed()


async def test_ping(port: int) -> None:
    async with client_of(port) as client:
        for n in range(200):
            await client.write_event(Ping(f"{n}").event())
        for n in range(200):
            assert Pong.from_event((await until(client, "pong"))[-1]).text == f"{n}"


@pytest.mark.parametrize(
    "bad",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"{\n",
        b'{"type":"audio-chunk","payload_length":99999999}\n',
        b"x" * 100_000,
        bytes(range(256)) * 16,
    ],
)
async def test_bad_input_ends_that_connection_only(port: int, bad: bytes) -> None:
    async with client_of(port) as other:
        await other.write_event(AudioStart(16000, 2, 1).event())
        await other.write_event(AudioChunk(16000, 2, 1, TALK).event())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bad)
        async with asyncio.timeout(WAIT_S_MAX):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await other.write_event(AudioStop().event())
        assert await heard(other)


async def test_a_client_that_hangs_up_leaves_no_session(service: Service, port: int) -> None:
    redis = connect(service.redis_url)

    async def held() -> set[object]:
        pending = await redis.xpending_range(Keys().queue(0), GROUP, "-", "+", 1000)
        return {entry["message_id"] for entry in pending}

    try:
        others = await held()  # sessions of other tests may wait for their clients
        async with client_of(port) as client:
            await client.write_event(AudioStart(16000, 2, 1).event())
            await client.write_event(AudioChunk(16000, 2, 1, TALK).event())
            await until(client, "transcript-start")
            assert await held() - others
        async with asyncio.timeout(WAIT_S_MAX):
            while await held() - others:  # noqa: ASYNC110 - a worker changes it
                await asyncio.sleep(0.05)
    finally:
        await redis.aclose()


async def test_a_killed_worker_does_not_cost_a_word(tmp_path: Path) -> None:
    with Service.running(tmp_path, engine="scripted", modules=("api", "worker"), lease_s="0.5") as own:
        undisturbed = (await transcribe(own.ws_url, TALK, partials="false")).transcript
        port = started(own)
        async with client_of(port) as client:
            await client.write_event(AudioStart(16000, 2, 1).event())
            await client.write_event(AudioChunk(16000, 2, 1, TALK[: len(TALK) // 2]).event())
            await until(client, "transcript-start")
            own.start("worker", name="second")
            own.end("worker", signal.SIGKILL)
            await client.write_event(AudioChunk(16000, 2, 1, TALK[len(TALK) // 2 :]).event())
            await client.write_event(AudioStop().event())
            text = await heard(client)
        assert len(text.split()) == pytest.approx(len(undisturbed.split()), abs=3)


async def test_a_taken_port_is_named(service: Service, port: int) -> None:
    process = service.start("api.wyoming", name="twin", environment={"STENO_WYOMING_PORT": str(port)})
    assert await asyncio.to_thread(process.wait, WAIT_S_MAX) == 2
    del service.processes["twin"]
    assert "set STENO_WYOMING_PORT" in service.log.read_text()
