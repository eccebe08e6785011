"""Both transports keep the same promises; URLSession's over a fake that speaks to a real server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve
from websockets.datastructures import Headers

from client.dialing import dial as websockets_dial
from client.dictation.macos.urlsession import url_session_dial
from client.errors import ConnectionLost
from client.sockets import Dial, SocketClosed
from shared.errors import StenoError, Unauthorized, Unavailable
from tests.support.pyobjc.mac import FakeMac

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["websockets", "urlsession"])
def dial(request: pytest.FixtureRequest, mac: FakeMac) -> Dial:
    """Each of the two."""
    return websockets_dial if request.param == "websockets" else url_session_dial(mac)


async def talk(connection: ServerConnection) -> None:
    """Says what it is sent; closes, or hangs up, when it is told to."""
    async for message in connection:
        if message == "close":
            await connection.close(4002, "resume, please")
        elif message == "hang up":
            connection.transport.abort()
        else:
            await connection.send(message)


def guard(connection: ServerConnection, request: Request) -> Response | None:
    """Refuses as an edge does."""
    if request.path.startswith("/busy"):
        return Response(503, "", Headers({"Retry-After": "7"}), b"")
    if request.headers.get("Authorization") != "Bearer key":
        error = b'{"error": {"code": "unauthorized", "message": "no such key"}}'
        return Response(401, "", Headers(), error)
    return None


@asynccontextmanager
async def server() -> AsyncGenerator[str]:
    """Its address."""
    running: Server
    async with serve(talk, "127.0.0.1", 0, process_request=guard) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}"


KEY = {"Authorization": "Bearer key"}


async def test_messages_go_and_come_as_they_are(dial: Dial) -> None:
    """Text and bytes, in order; a wait that is cancelled loses nothing."""
    async with server() as address:
        socket = await dial(address, KEY)
        waiting = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for message in ("täxt 👍", b"\x00\x01", "x" * 100_000):
            await socket.send(message)
        assert [await socket.receive() for _ in range(3)] == ["täxt 👍", b"\x00\x01", "x" * 100_000]
        assert socket.is_open
        await socket.close()
        await socket.close()
        assert not socket.is_open


@pytest.mark.parametrize(("word", "code"), [("close", 4002), ("hang up", 1006)])
async def test_a_connection_that_ends_says_with_which_code(dial: Dial, word: str, code: int) -> None:
    """By it the client knows whether to resume."""
    async with server() as address:
        socket = await dial(address, KEY)
        await socket.send(word)
        with pytest.raises(SocketClosed) as closed:
            await socket.receive()
        assert closed.value.code == code
        with pytest.raises(SocketClosed):
            await socket.send("more")
        socket.abort()


async def test_refusals_are_the_client_s_errors(dial: Dial) -> None:
    """Their messages do not show the query."""
    async with server() as address:
        with pytest.raises(Unauthorized):
            await dial(f"{address}?prompt=secret", {})
        with pytest.raises(Unavailable) as busy:
            await dial(f"{address}/busy?prompt=secret", KEY)
        assert busy.value.retry_after_s == 7
        assert "secret" not in str(busy.value)
    with pytest.raises(ConnectionLost, match="can't reach") as gone:
        await dial(f"{address}/x?prompt=secret", KEY)
    assert isinstance(gone.value, StenoError)
    assert "secret" not in str(gone.value)
