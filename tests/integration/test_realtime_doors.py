"""Who gets into `/v1/realtime`, with which key, for how long; and what ends a connection from the server's
side."""

import asyncio
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.realtime_client import COMPLETED, realtime, transcription
from tests.support.service import Service, free_port
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
KEY = "key-of-acme-01"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service for one key whose sessions are short."""
    folder = tmp_path_factory.mktemp("keyed")
    with Service.running(
        folder, engine="scripted", modules=("api", "worker"), api_keys=f"acme:{KEY}", session_s_max="20"
    ) as running:
        yield running


@pytest.fixture
def doomed(tmp_path: Path) -> Generator[Service]:
    """A service of a test that ends its processes."""
    settings = {"api_keys": f"acme:{KEY}", "queue_s": "2"}
    with Service.running(tmp_path, engine="scripted", modules=("api", "worker"), **settings) as running:
        yield running


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        (BEARER, []),
        ({"Authorization": f"bearer {KEY}"}, []),
        ({"api-key": KEY}, []),
        ({}, ["realtime", f"openai-insecure-api-key.{KEY}"]),
        ({}, [f"openai-insecure-api-key.{KEY}", "realtime", "openai-organization.o", "openai-project.p"]),
    ],
)
async def test_a_key_comes_in_many_ways(
    keyed: Service, headers: dict[str, str], subprotocols: list[str]
) -> None:
    async with realtime(keyed.ws_url, headers=headers, subprotocols=subprotocols) as client:
        await client.until("session.created")
        assert client.socket.subprotocol == ("realtime" if subprotocols else None)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong-key"}, {"Origin": "http://page"}])
async def test_without_a_known_key_the_upgrade_is_answered_with_401(
    keyed: Service, headers: dict[str, str]
) -> None:
    """Trap 13."""
    with pytest.raises(InvalidStatus) as caught:
        async with realtime(keyed.ws_url, headers=headers, subprotocols=["realtime"]):
            pass
    assert caught.value.response.status_code == 401
    error = json.loads(caught.value.response.body or b"")["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert error["message"]


def post(url: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def test_a_client_secret_opens_sessions_as_it_was_told(keyed: Service) -> None:
    session = transcription(None, transcription={"model": "gpt-4o-transcribe", "language": "de"})
    body = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": session}
    status, made = post(f"{keyed.url}/v1/realtime/client_secrets", body, BEARER)
    assert status == 200
    assert made["value"].startswith("ek_")
    assert 50 < made["expires_at"] - time.time() <= 60
    assert made["session"]["audio"]["input"]["transcription"]["language"] == "de"
    for given in (
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{made['value']}"]},
        {"headers": {"Authorization": f"Bearer {made['value']}"}},
    ):
        async with realtime(keyed.ws_url, **given) as client:
            created = await client.until("session.created")
            assert created["session"]["audio"]["input"] == made["session"]["audio"]["input"]
            await client.audio(TALK)
            await client.say("input_audio_buffer.commit")
            assert (await client.until(COMPLETED))["languages"] == [{"code": "de"}]


async def test_a_client_secret_opens_nothing_else(keyed: Service) -> None:
    _, made = post(f"{keyed.url}/v1/realtime/client_secrets", {}, BEARER)
    own = {"Authorization": f"Bearer {made['value']}"}
    assert post(f"{keyed.url}/v1/realtime/client_secrets", {}, own)[0] == 403
    broken = made["value"][:-2] + ("AA" if made["value"][-2:] != "AA" else "BB")
    with pytest.raises(InvalidStatus):
        async with realtime(keyed.ws_url, headers={"Authorization": f"Bearer {broken}"}):
            pass


async def test_the_beta_s_way_to_a_client_secret(keyed: Service) -> None:
    body = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
    status, made = post(f"{keyed.url}/v1/realtime/transcription_sessions", body, BEARER)
    assert (status, made["input_audio_format"]) == (200, "g711_ulaw")
    protocols = [
        "realtime",
        f"openai-insecure-api-key.{made['client_secret']['value']}",
        "openai-beta.realtime-v1",
    ]
    async with realtime(keyed.ws_url, subprotocols=protocols) as client:
        created = await client.until("session.created")
        assert created["session"]["input_audio_format"] == "g711_ulaw"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, "body"),
        ({"session": 3}, 400, "session"),
        ({"expires_after": {"seconds": 5}}, 400, "expires_after.seconds"),
        ({"session": {"type": "realtime"}}, 400, "session.type"),
        ({"session": transcription(None, transcription={"model": "parakeet"})}, 404, None),
        (b" " * 70_000, 400, None),
    ],
)
async def test_a_client_secret_is_refused_as_openai_refuses(
    keyed: Service, body: Any, status: int, param: str | None
) -> None:
    answered, said = post(f"{keyed.url}/v1/realtime/client_secrets", body, BEARER)
    assert answered == status
    assert said["error"]["type"] == "invalid_request_error"
    if param:
        assert said["error"]["param"] == param


@pytest.mark.slow
async def test_a_connection_ends_when_it_has_lasted_long_enough(keyed: Service) -> None:
    port = free_port()
    keyed.start("api", name="short", environment={"STENO_PORT": str(port), "STENO_SESSION_S_MAX": "2"})
    await asyncio.to_thread(keyed.wait_until_ready, worker=False, port=port)
    async with realtime(f"ws://127.0.0.1:{port}", headers=BEARER) as client:
        created = await client.until("session.created")
        assert created["session"]["expires_at"] - time.time() <= 2
        code, reason = await client.until_closed()
    assert client.frames[-1]["error"]["code"] == "session_expired"
    assert (code, reason) == (1001, client.frames[-1]["error"]["message"])


async def test_too_much_audio_ends_it_too(keyed: Service) -> None:
    async with realtime(keyed.ws_url, headers=BEARER) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK * 3)
        assert (await client.until_closed())[0] == 1001
    assert client.frames[-1]["error"]["code"] == "session_expired"


async def test_an_edge_that_stops_and_a_worker_that_dies(doomed: Service) -> None:
    """A worker's death is not seen; an edge that stops closes with a code that clients come back after."""
    doomed.start("worker", name="second")
    await asyncio.to_thread(doomed.wait_until_workers, 2)
    edge = await asyncio.to_thread(doomed.start_edge, "edge")
    async with realtime(edge.replace("http", "ws"), headers=BEARER) as client:
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK)
        await client.until("session.updated")
        doomed.processes["worker"].send_signal(signal.SIGKILL)
        doomed.processes.pop("worker").wait()
        await client.say("input_audio_buffer.commit")
        assert (await client.until(COMPLETED))["transcript"]
        await asyncio.to_thread(doomed.end, "edge", signal.SIGTERM)
        assert (await client.until_closed())[0] in (1001, 1012)


async def test_without_a_worker_a_client_is_told_to_come_back(doomed: Service) -> None:
    await asyncio.to_thread(doomed.end, "worker", signal.SIGTERM)
    await asyncio.to_thread(doomed.wait_until_workers, 0)
    async with realtime(doomed.ws_url, headers=BEARER) as client:  # one may be on its way
        await client.until("session.created")
        await client.say("session.update", session=transcription(None))
        await client.audio(TALK)
        code, _ = await client.until_closed()
    assert client.frames[-1]["error"]["code"] == "no_capacity"
    assert code == 1013
