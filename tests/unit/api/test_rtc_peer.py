"""One peer and a client of aiortc in one loop: audio and messages cross, and nothing is left of either."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator

import pytest

pytest.importorskip("aiortc")

from aioice import stun
from aiortc import RTCIceServer, RTCSessionDescription

from api.rtc.offer import read_offer
from api.rtc.peer import Peer
from api.rtc.udp import UdpPort, bind_udp
from bench.rtc_peer import Microphone, RtcSession, use_loopback

pytestmark = pytest.mark.anyio


class Heard:
    """What a peer was told by its client."""

    def __init__(self) -> None:
        self.audio = bytearray()
        self.messages: list[str] = []
        self.change = asyncio.Event()

    def put_message(self, text: str) -> bool:
        self.messages.append(text)
        self.change.set()
        return True

    async def until(self, ready: object) -> None:
        async with asyncio.timeout(20):
            while not ready():  # type: ignore[operator]
                self.change.clear()
                await self.change.wait()


@pytest.fixture
async def port() -> AsyncGenerator[UdpPort]:
    use_loopback()
    port = UdpPort(bind_udp("127.0.0.1", 0))
    await port.open()
    yield port
    port.close()


async def met(
    port: UdpPort, heard: Heard, *, servers: tuple[RTCIceServer, ...] = ()
) -> tuple[Peer, RtcSession]:
    """A client, and the peer that answered it."""

    def put_audio(pcm16: bytes) -> None:
        heard.audio += pcm16
        heard.change.set()

    client = RtcSession(Microphone(speed=8))
    peer = Peer(
        read_offer(await client.offer()),
        port,
        servers=servers,
        on_audio=put_audio,
        on_message=heard.put_message,
        on_change=heard.change.set,
    )
    answer = await peer.answer()
    await client.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return peer, client


async def until_gone(peer: Peer, heard: Heard) -> None:
    await heard.until(lambda: peer.is_gone)


async def until_only(tasks: set[asyncio.Task[object]]) -> None:
    async with asyncio.timeout(20):
        while left := asyncio.all_tasks() - tasks:
            await asyncio.wait(left, timeout=0.1)


async def test_audio_and_messages_cross_and_no_task_is_left(port: UdpPort) -> None:
    before, heard = asyncio.all_tasks(), Heard()
    peer, client = await met(port, heard)
    await peer.connect(20)
    async with asyncio.timeout(20):
        await client.is_open.wait()
    client.microphone.put(b"\1\0" * 16_000)
    client.say("keepalive")
    await heard.until(lambda: heard.messages and len(heard.audio) > 30_000)
    await peer.send('{"type": "ready"}')
    await peer.flush()
    await client.until("ready")
    await client.peer.close()
    await until_gone(peer, heard)
    await peer.close()
    await until_only(before)
    (door,) = port._doors
    assert not door.places
    assert not door._by_address


async def test_what_is_large_in_a_peer_does_not_wait_for_the_collector_of_cycles(port: UdpPort) -> None:
    heard = Heard()
    peer, client = await met(port, heard)
    await peer.connect(20)
    parts = [peer, peer._receiver._decoder, peer._dtls, peer._sctp, peer._connection]
    kept = [weakref.ref(part) for part in parts]
    parts.clear()
    await client.peer.close()
    await until_gone(peer, heard)
    gc.disable()
    try:
        await peer.close()
        del peer
        async with asyncio.timeout(20):
            while any(part() is not None for part in kept):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)
    finally:
        gc.enable()


@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_peer_that_does_not_connect_leaves_no_task(port: UdpPort, is_begun: bool) -> None:
    before, heard = asyncio.all_tasks(), Heard()
    peer, client = await met(port, heard)
    await client.peer.close()
    if is_begun:
        with pytest.raises(TimeoutError):
            await peer.connect(0.2)
    await peer.close()
    await until_only(before)


async def test_a_stun_server_says_how_the_edge_looks_from_outside(port: UdpPort) -> None:
    """And with one, the client's candidates are read."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            asked = stun.parse_message(data)
            told = stun.Message(
                message_method=stun.Method.BINDING,
                message_class=stun.Class.RESPONSE,
                transaction_id=asked.transaction_id,
            )
            told.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.7", 4321)
            self.transport.sendto(bytes(told), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    address = transport.get_extra_info("sockname")
    heard = Heard()
    peer, client = await met(port, heard, servers=(RTCIceServer(f"stun:127.0.0.1:{address[1]}"),))
    assert "203.0.113.7 4321 typ srflx" in client.peer.remoteDescription.sdp
    await peer.connect(20)
    assert peer._ice.getRemoteCandidates()
    await client.peer.close()
    await peer.close()
    transport.close()
