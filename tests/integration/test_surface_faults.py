"""What other products' clients do wrong on the wire, on each surface: they are gone without a word, say
nothing, say far too much, or trickle. Each is told in the shape of its surface, or sent away, and nobody else
notices. An edge in this process, whose times are short, over the worker of the shared service."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wyoming.audio import AudioChunk, AudioStart

from api import uploads
from api.app import create_app
from api.deepgram.live import DeepgramLive
from api.listening import listen
from api.openai_realtime.dialect import RealtimeDialect
from api.socket_limits import HEAD_BYTES_MAX, LARGEST_BYTES, LimitedProtocol, PatientProtocol
from api.wyoming import dialect as wyoming_dialect
from api.wyoming.framing import WyomingEvent, to_bytes
from shared.settings import Settings
from tests.support.deepgram import listened, listening
from tests.support.line import line_to
from tests.support.live import transcribe
from tests.support.realtime_client import COMPLETED, DELTA, realtime, transcription
from tests.support.service import Service, free_port
from tests.support.speech import spoken
from tests.support.wyoming_client import client_of, heard, say, until

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
KEY = "a-key-of-a-test"
BEARER = {"Authorization": f"Bearer {KEY}"}
FORM = {"rate": 16000, "width": 2, "channels": 1}
WAIT_S_MAX = 60.0
IDLE_S = 10.0
"""In place of half a minute and more: how long a client that is well may be silent here."""
HURRIED_S = 0.5
"""The same for one that is not, once it is as the test wants it."""


@dataclass(frozen=True)
class Edge:
    """Where it listens."""

    port: int
    wyoming_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


class Impatient(PatientProtocol):
    """The edge's own, in less time."""

    head_s = IDLE_S


@dataclass(frozen=True)
class Times:
    """How long clients are waited for."""

    patch: pytest.MonkeyPatch

    def set(self, seconds: float) -> None:
        """All of them, from each client's next message on."""
        self.patch.setattr(DeepgramLive, "idle_s", seconds)
        self.patch.setattr(RealtimeDialect, "idle_s", seconds)
        self.patch.setattr(wyoming_dialect, "IDLE_S", seconds)
        self.patch.setattr(wyoming_dialect, "STALLED_S", seconds)
        self.patch.setattr(uploads, "PACE_S", seconds)
        self.patch.setattr(Impatient, "head_s", seconds)


@asynccontextmanager
async def running(service: Service, folder: Path, **settings: Any) -> AsyncGenerator[Edge]:
    """An edge as `python -m api` makes it."""
    edge = Edge(free_port(), free_port())
    own = {"redis_url": service.redis_url, "data_dir": folder, "model": "tiny.en"}
    asked = Settings(**{**own, "port": edge.port, "wyoming_port": edge.wyoming_port, **settings})
    with (
        listen("127.0.0.1", edge.port, variable="") as http,
        listen("127.0.0.1", edge.wyoming_port, variable="") as wyoming,
    ):
        config = uvicorn.Config(
            create_app(asked, wyoming=wyoming),
            log_config=None,
            http=Impatient,
            ws=LimitedProtocol,
            ws_max_size=LARGEST_BYTES,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[http]))
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while not server.started:  # noqa: ASYNC110 - it has no event for it
                    await asyncio.sleep(0.01)
            yield edge
        finally:
            server.should_exit = True
            await task


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times(monkeypatch)
    times.set(IDLE_S)
    return times


@pytest.fixture
async def edge(service: Service, tmp_path: Path, times: Times) -> AsyncGenerator[Edge]:
    async with running(service, tmp_path) as edge:
        yield edge


async def open_sessions(edge: Edge, surface: str) -> float:
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    found = [line for line in lines if line.startswith(f'steno_edge_sessions{{surface="{surface}"}}')]
    return float(found[0].split()[-1]) if found else 0.0


async def until_no_session(edge: Edge, surface: str) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while await open_sessions(edge, surface):  # noqa: ASYNC110 - a metric
            await asyncio.sleep(0.05)


@asynccontextmanager
async def undisturbed(edge: Edge) -> AsyncGenerator[None]:
    """Somebody else speaks meanwhile, and is heard as if nobody else were there."""
    alone = (await transcribe(edge.ws_url, TALK, partials="false")).transcript
    other = asyncio.create_task(transcribe(edge.ws_url, TALK, partials="false"))
    yield
    assert (await other).transcript == alone != ""


# Clients whose machine or network is gone: no word comes, and none says so.


Begun = Callable[[], Awaitable[None]]
"""Says a little more."""


async def begin_deepgram(url: str, stack: contextlib.AsyncExitStack) -> Begun:
    client = await stack.enter_async_context(listening(url, interim_results="true"))
    await client.audio(TALK)
    await client.until("Results")
    return partial(client.audio, TALK[:6400])


async def begin_realtime(url: str, stack: contextlib.AsyncExitStack) -> Begun:
    client = await stack.enter_async_context(realtime(url))
    await client.say("session.update", session=transcription(None))
    await client.audio(TALK)
    await client.until(DELTA)
    return partial(client.audio, TALK[:6400])


async def begin_wyoming(url: str, stack: contextlib.AsyncExitStack) -> Begun:
    client = await stack.enter_async_context(client_of(int(url.rpartition(":")[2])))
    await client.write_event(AudioStart(**FORM).event())
    await client.write_event(AudioChunk(**FORM, audio=TALK).event())
    await until(client, "transcript-chunk")
    return partial(client.write_event, AudioChunk(**FORM, audio=TALK[:6400]).event())


BEGIN: dict[str, Callable[[str, contextlib.AsyncExitStack], Awaitable[Begun]]] = {
    "deepgram": begin_deepgram,
    "realtime": begin_realtime,
    "wyoming": begin_wyoming,
}


@pytest.mark.parametrize("surface", BEGIN)
async def test_a_half_open_connection_keeps_no_session(edge: Edge, times: Times, surface: str) -> None:
    """The line goes silent in mid-speech, and neither side is told."""
    target = f"tcp://127.0.0.1:{edge.wyoming_port}" if surface == "wyoming" else edge.url
    async with undisturbed(edge), line_to(target) as line, contextlib.AsyncExitStack() as stack:
        go_on = await BEGIN[surface](line.url, stack)
        assert await open_sessions(edge, surface) == 1
        times.set(HURRIED_S)
        await go_on()
        await asyncio.sleep(0.1)
        line.go_silent()
        await until_no_session(edge, surface)
        times.set(IDLE_S)
        line.cut()  # for the clients, whose closing would wait
        with contextlib.suppress(ConnectionClosed, OSError):
            await stack.aclose()


def test_the_kernel_asks_who_is_silent_whether_they_are_there() -> None:
    """Where nothing is due from a client, only that finds out."""
    port = free_port()
    with listen("127.0.0.1", port, variable="") as listener:
        listener.listen()
        with socket.create_connection(("127.0.0.1", port)) as client:
            taken, _ = listener.accept()
            with taken:
                assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                if hasattr(socket, "TCP_USER_TIMEOUT"):
                    found = taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                    assert found == 30_000
                    assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert client


# Clients that connect and say nothing.


async def test_who_says_nothing_is_sent_away_as_the_surface_does_it(edge: Edge, times: Times) -> None:
    times.set(HURRIED_S)
    async with (
        undisturbed(edge),
        listening(edge.ws_url) as deepgram,
        realtime(edge.ws_url) as idle,
        client_of(edge.wyoming_port) as wyoming,
    ):
        assert await deepgram.until_closed() == (1011, "NET-0001")
        assert await wyoming.read_event() is None
        times.set(IDLE_S)
        # Pooled sockets lie idle for minutes: they cost no session, and go on when they are used.
        await idle.say("session.update", session=transcription(None))
        await idle.audio(TALK)
        await idle.say("input_audio_buffer.commit")
        assert (await idle.until(COMPLETED))["transcript"]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"POST /v1/listen HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"GET /v1/realtime HTTP/1.1\r\n",
        b'{"type": "audio-chunk", "payload_length": 4000000}\n',
    ],
)
@pytest.mark.slow
async def test_a_head_or_event_that_never_ends_is_cut_off(edge: Edge, times: Times, head: bytes) -> None:
    """Slow loris: a byte now and then does not help."""
    times.set(HURRIED_S)
    port = edge.wyoming_port if head.startswith(b"{") else edge.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.05)  # the edge has taken it, with its short time
    times.set(IDLE_S)
    async with undisturbed(edge):
        writer.write(head)
        reading = asyncio.create_task(reader.read())
        async with asyncio.timeout(WAIT_S_MAX):
            while not reading.done():
                writer.write(b"x" if head else b"")
                await asyncio.sleep(0.1)
        await asyncio.gather(reading, return_exceptions=True)
    writer.transport.abort()


async def test_a_head_that_is_too_long_is_cut_off(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_BYTES_MAX + 1))
    async with asyncio.timeout(WAIT_S_MAX):
        with contextlib.suppress(OSError):
            assert b" 200 " not in await reader.read()
    writer.transport.abort()


async def test_requests_one_after_another_are_not_cut_off(edge: Edge) -> None:
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as http:
        for _ in range(3):
            assert (await http.get("/healthz", headers={"X-Long": "x" * 30_000})).status_code == 200


# Uploads that trickle.


def multipart(name: str) -> tuple[bytes, str]:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.wav"\r\n\r\n'
    return head.encode(), "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("path", "field", "reads"),
    [
        ("/v1/audio/transcriptions", "file", lambda body: body["error"]["type"]),
        ("/v1/listen", "", lambda body: body["err_code"]),
        ("/asr", "audio_file", lambda body: body["detail"]),
    ],
)
async def test_an_upload_that_trickles_is_ended(
    edge: Edge, times: Times, path: str, field: str, reads: Callable[[dict[str, Any]], str]
) -> None:
    body, kind = multipart(field) if field else (b"RIFF", "audio/wav")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999\r\nContent-Type: {kind}\r\n\r\n"
    )
    async with undisturbed(edge):
        times.set(HURRIED_S)
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(head.encode() + body)
        reading = asyncio.create_task(reader.read())
        async with asyncio.timeout(WAIT_S_MAX):
            while not reading.done():
                writer.write(b"x")
                await asyncio.sleep(0.1)
        answer, _, said = (await reading).partition(b"\r\n\r\n")
        writer.transport.abort()
    assert answer.split()[1] == b"408"
    assert reads(json.loads(said))


# Floods.


async def test_a_flood_of_pings_and_keepalives_is_borne(edge: Edge) -> None:
    async with undisturbed(edge), listening(edge.ws_url) as client:
        pongs = [await client.socket.ping() for _ in range(1000)]
        for _ in range(1000):
            await client.say("KeepAlive")
        await asyncio.gather(*pongs)
        await client.audio(TALK)
        await client.say("CloseStream")
        assert (await client.until_closed())[0] == 1000
    assert client.transcript()


async def test_a_flood_of_events_whose_answers_nobody_reads_is_held_back(edge: Edge) -> None:
    """Wyoming answers each `ping` and `describe`: who reads none of it is not read any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.wyoming_port)
    async with undisturbed(edge):
        flood = to_bytes(WyomingEvent("describe")) * 4_000
        writer.write(flood)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await writer.drain()
        async with client_of(edge.wyoming_port) as other:
            await say(other, TALK)
            assert await heard(other)
    assert reader
    writer.transport.abort()


async def test_what_is_too_large_is_refused(edge: Edge) -> None:
    async with undisturbed(edge), listening(edge.ws_url) as client:
        with contextlib.suppress(ConnectionClosed):
            await client.socket.send(bytes(15 * 2**20))
        assert (await client.until_closed())[0] == 1009


# The order of things.


async def test_messages_in_the_wrong_order_are_borne(edge: Edge) -> None:
    """Deepgram: flushing before there is audio, and audio behind the end."""
    async with listening(edge.ws_url) as client:
        await client.say("Finalize")
        empty = await client.until("Results", from_finalize=True)
        assert empty["channel"]["alternatives"][0]["transcript"] == ""
        await client.say("Finalize", channel=7)
        assert (await client.until("Error"))["variant"] == "SchemaError"
        await client.audio(TALK)
        await client.say("CloseStream")
        await client.say("Finalize")
        await client.audio(TALK)
        await client.say("CloseStream")
        assert (await client.until_closed())[0] == 1000
    whole = await listened(edge.ws_url, TALK)
    assert client.frames[-1]["sha256"] == whole.frames[-1]["sha256"]
    assert client.transcript() == whole.transcript()


# Keys.


async def test_each_surface_refuses_a_key_that_is_not_known_in_its_own_shape(
    service: Service, tmp_path: Path
) -> None:
    async with running(service, tmp_path, api_keys=f"home:{KEY}", wyoming_tenant="home") as edge:
        http = httpx.AsyncClient(base_url=edge.url, trust_env=False)
        shapes: dict[str, Callable[[dict[str, Any]], str]] = {
            "/v1/audio/transcriptions": lambda body: body["error"]["code"],
            "/v1/audio/translations": lambda body: body["error"]["code"],
            "/v1/realtime/client_secrets": lambda body: body["error"]["code"],
            "/v1/listen": lambda body: body["err_code"],
            "/asr": lambda body: body["detail"],
            "/detect-language": lambda body: body["detail"],
        }
        async with http:
            for headers in ({}, {"Authorization": "Bearer not-this-one"}, {"Authorization": "Token"}):
                for path, reads in shapes.items():
                    answer = await http.post(path, headers=headers)
                    assert answer.status_code == 401, path
                    assert reads(answer.json())
                answer = await http.get("/v1/models", headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
                for path in ("/v1/realtime", "/v1/listen", "/v1/stream"):
                    with pytest.raises(InvalidStatus) as refused:
                        async with connect(edge.ws_url + path, proxy=None, additional_headers=headers):
                            pass
                    assert refused.value.response.status_code == 401
                    assert json.loads(refused.value.response.body or b"")
            assert (await http.get("/v1/models", headers=BEARER)).status_code == 200
        async with client_of(edge.wyoming_port) as wyoming:  # who reaches this port is let in
            await say(wyoming, TALK)
            assert await heard(wyoming)
