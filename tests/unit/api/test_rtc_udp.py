"""The shared UDP port: whose a datagram is, and that nothing is answered to who has not been let in."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest

pytest.importorskip("aiortc")

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from api.rtc.udp import SharedPortConnection, UdpPort, bind_udp
from shared.errors import BadParameter

pytestmark = pytest.mark.anyio
PASSWORD = "0123456789abcdefghijklmn"


def connection(port: UdpPort, name: str) -> SharedPortConnection:
    return SharedPortConnection(port, local_username=name, local_password=PASSWORD)


def check(name: str, *, key: str = PASSWORD) -> bytes:
    """A check of ICE for the peer of that name."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes |= {"USERNAME": f"{name}:theirs", "PRIORITY": 1, "ICE-CONTROLLING": 1}
    message.add_message_integrity(key.encode())
    return bytes(message)


@pytest.fixture
async def port() -> AsyncGenerator[UdpPort]:
    port = UdpPort(bind_udp("127.0.0.1", 0))
    await port.open()
    yield port
    port.close()


@pytest.fixture
async def clients(port: UdpPort) -> AsyncGenerator[list[socket.socket]]:
    """Two, connected to the port."""
    host = connection(port, "host")
    await host.gather_candidates()
    (candidate,) = host.local_candidates
    await host.close()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for one in sockets:
        one.setblocking(False)
        one.connect((candidate.host, candidate.port))
    yield sockets
    for one in sockets:
        one.close()


async def answer(client: socket.socket, *, within_s: float = 5.0) -> stun.Message:
    async with asyncio.timeout(within_s):
        return stun.parse_message(await asyncio.get_running_loop().sock_recv(client, 2048))


async def test_peers_share_the_port_and_each_gets_its_own(
    port: UdpPort, clients: list[socket.socket]
) -> None:
    peers = [connection(port, "first"), connection(port, "second")]
    for peer, client in zip(peers, clients, strict=True):
        await peer.gather_candidates()
        client.send(check(peer.local_username))
        assert (await answer(client)).message_class is stun.Class.RESPONSE
        assert port.heard_s(peer) is not None
    assert len({peer.local_candidates[0].port for peer in peers}) == 1
    for client in clients:
        client.send(b"\x90" + client.fileno().to_bytes(2, "big"))  # as RTP begins
    for peer, client in zip(peers, clients, strict=True):
        peer._nominated[1] = None  # type: ignore[assignment]
        async with asyncio.timeout(5):
            assert await peer.recv() == b"\x90" + client.fileno().to_bytes(2, "big")
        peer._nominated.clear()
        await peer.close()
    assert port.heard_s(peers[0]) is None


async def test_who_has_not_proved_himself_gets_no_answer(port: UdpPort, clients: list[socket.socket]) -> None:
    peer = connection(port, "peer")
    await peer.gather_candidates()
    stranger, known = clients
    for data in (
        b"",
        b"\0",
        b"\x90data",
        check("nobody"),
        check("peer", key="wrong" * 5),
        check("peer")[:30],
    ):
        stranger.send(data)
    known.send(check("peer"))
    assert (await answer(known)).message_class is stun.Class.RESPONSE  # it came behind all of those
    with pytest.raises(BlockingIOError):
        stranger.recv(2048)
    await peer.close()
    known.send(check("peer"))
    known.send(b"\x90data")
    again = connection(port, "again")
    await again.gather_candidates()
    stranger.send(check("again"))
    await answer(stranger)
    with pytest.raises(BlockingIOError):
        known.recv(2048)
    await again.close()


@given(st.binary(max_size=200))
def test_no_datagram_breaks_the_port(data: bytes) -> None:
    async def heard() -> None:
        port = UdpPort(bind_udp("127.0.0.1", 0))
        await port.open()
        peer = connection(port, "peer")
        await peer.gather_candidates()
        (door,) = port._doors
        for begun in (b"", b"\0\1\0\x08\x21\x12\xa4\x42" + bytes(12), check("peer")[:20]):
            door.datagram_received(begun + data, ("127.0.0.1", 9))
        await peer.close()
        port.close()

    asyncio.run(heard())


def test_a_port_that_is_taken_is_named() -> None:
    (bound,) = bind_udp("127.0.0.1", 0)
    with bound.socket, pytest.raises(BadParameter, match="STENO_RTC_PORT"):
        bind_udp("127.0.0.1", bound.socket.getsockname()[1])


def test_what_is_told_is_of_the_kind_that_is_bound() -> None:
    (bound,) = bind_udp("127.0.0.1", 0, ["2001:db8::1", "203.0.113.7"])
    with bound.socket:
        assert bound.told == "203.0.113.7"
    with pytest.raises(BadParameter, match="STENO_RTC_ADDRESSES"):
        bind_udp("127.0.0.1", 0, ["2001:db8::1"])
